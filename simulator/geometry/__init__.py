"""Packing and meshing of electrodes, and meshes, outlines and label stacks from elsewhere."""
