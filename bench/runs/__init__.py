"""What a run leaves behind: records, the journal, the run folder and the pandas frames."""
