"""Data: files from outside with their checksums, images as in-memory tensors, augmentation.

Importing this package imports nothing else; only `images` and `augment` need torch.
"""
