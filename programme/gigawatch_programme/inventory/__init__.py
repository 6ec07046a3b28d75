"""What should be there (`nodes`), in which state and under which maintenance (`states`), and as Slurm tells it (`slurm`)."""
