"""What an operator watches a stage with, as a stack of its own: alarms, a dashboard, log queries, a daily check."""
