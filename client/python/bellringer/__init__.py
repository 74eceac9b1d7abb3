"""Client of Bellringer, a service for background tasks. `bellringer.v1` is generated."""
