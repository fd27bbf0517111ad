"""What each verb of `acquirer-host` does; host.cli only reads arguments."""
