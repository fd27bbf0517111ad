"""Where host and terminal meet: the demo day over real TCP, its ladder of messages, and the verdict over both books."""
