"""What the commands of the lab do. Their arguments stand in terminal_sim.cli, the only module that may load the lab."""
