"""The convolution of all networks."""

from torch import Tensor, nn
from torch.nn import functional as F


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, in which a strided 1x1 convolution takes every second pixel before it convolves.

    The output is the same. In PyTorch 2.13.0 the gradient of such a convolution of 2 to 7
    channels-last float32 channels writes outside its memory on processors without AVX-512.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Outputs, (batch, channels, height, width), of images of that shape."""
        if self.kernel_size != (1, 1) or self.stride == (1, 1) or self.padding != (0, 0):
            return super().forward(x)
        pixels = x[:, :, :: self.stride[0], :: self.stride[1]]
        return F.conv2d(pixels, self.weight, self.bias, groups=self.groups)
