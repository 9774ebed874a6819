"""Make models: data, networks, training, evaluation, export."""
