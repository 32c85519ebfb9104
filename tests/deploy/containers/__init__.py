"""The image and the compose file on a real container engine: `.ci/engine` starts one and makes the images."""
