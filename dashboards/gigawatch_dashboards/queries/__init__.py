"""What pages ask the database: one module for each noun, one function for each query, frozen rows as answers.

Every time bound is a parameter: a subselect would defeat chunk exclusion. All SQL works on every grade of database.
"""
