"""From one state to the next and through a protocol: time scheme, Newton, controls, march."""
