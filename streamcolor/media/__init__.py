"""Films as files: the one place that knows PyAV."""
