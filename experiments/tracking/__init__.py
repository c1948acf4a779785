"""From journals to MLflow. Importing a module here costs little; MLflow is imported when used."""
