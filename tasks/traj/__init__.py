"""`moonhand traj`: recorded runs listed, looked at, checked, compared, asked again, changed into other formats."""
