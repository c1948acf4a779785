"""From journals to MLflow. `names` is elsewhere so that reading it costs nothing; importing MLflow
takes seconds.
"""
