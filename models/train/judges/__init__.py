"""Independent listeners, for development only; none of them is packaged with the plugin."""
