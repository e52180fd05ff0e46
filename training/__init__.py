"""From labelled statements to a tracked, calibrated, registered model."""
