"""The one room where the whole schema is seen: connection, grade, embedded server, migrations, views."""
