"""The accuracy of the voltage: what layers a run needs under its particles' surfaces, and why."""
