"""Where the jobs of a sweep run that do not run on this machine: engines that users have already."""
