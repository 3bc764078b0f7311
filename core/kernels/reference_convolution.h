// Convolution and pooling in the manner of reference.h: from their definitions, element by element.

#ifndef TALLY_CORE_KERNELS_REFERENCE_CONVOLUTION_H_
#define TALLY_CORE_KERNELS_REFERENCE_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/convolution.h"
#include "core/kernels/pooling.h"
#include "core/kernels/reference.h"

namespace tally::kernels::reference {

// Calls visit(element of the image, row of the weights) for what a window has of the image.
template <class Visit>
void ForEachTap(const ConvolutionShape& shape, size_t position, const Visit& visit) {
  const size_t y = position / shape.OutWidth();
  const size_t x = position % shape.OutWidth();
  for (size_t r = 0; r < shape.kernel_height; ++r) {
    for (size_t c = 0; c < shape.kernel_width; ++c) {
      const bool above = y + r < shape.padding_height;
      const bool left = x + c < shape.padding_width;
      const size_t row = y + r - shape.padding_height;
      const size_t column = x + c - shape.padding_width;
      if (above || left || row >= shape.height || column >= shape.width) continue;
      for (size_t i = 0; i < shape.channels; ++i) {
        visit((row * shape.width + column) * shape.channels + i,
              (r * shape.kernel_width + c) * shape.channels + i);
      }
    }
  }
}

inline Matrix Convolve(const Matrix& images, const ConvolutionShape& shape, const Matrix& weights) {
  Matrix z(images.rows * shape.Positions(), shape.units);
  for (size_t row = 0; row < z.rows; ++row) {
    ForEachTap(shape, row % shape.Positions(), [&](size_t element, size_t k) {
      for (size_t u = 0; u < shape.units; ++u) {
        z.at(row, u) += images.at(row / shape.Positions(), element) * weights.at(k, u);
      }
    });
  }
  return z;
}

inline Matrix ConvolutionError(const Matrix& d, const ConvolutionShape& shape,
                               const Matrix& weights) {
  Matrix e(d.rows / shape.Positions(), shape.ImageElements());
  for (size_t row = 0; row < d.rows; ++row) {
    ForEachTap(shape, row % shape.Positions(), [&](size_t element, size_t k) {
      for (size_t u = 0; u < shape.units; ++u) {
        e.at(row / shape.Positions(), element) += d.at(row, u) * weights.at(k, u);
      }
    });
  }
  return e;
}

inline Matrix ConvolutionGradient(const Matrix& images, const Matrix& d,
                                  const ConvolutionShape& shape) {
  Matrix sums(shape.Depth(), shape.units);
  for (size_t row = 0; row < d.rows; ++row) {
    ForEachTap(shape, row % shape.Positions(), [&](size_t element, size_t k) {
      for (size_t u = 0; u < shape.units; ++u) {
        sums.at(k, u) += images.at(row / shape.Positions(), element) * d.at(row, u);
      }
    });
  }
  return sums;
}

struct Pooled {
  Matrix largest;
  Matrix places;
};

inline Pooled MaxPool(const Matrix& images, const PoolingShape& shape) {
  Pooled pooled = {Matrix(images.rows, shape.OutElements()),
                   Matrix(images.rows, shape.OutElements())};
  for (size_t image = 0; image < images.rows; ++image) {
    for (size_t out = 0; out < shape.OutElements(); ++out) {
      const size_t y = out / shape.channels / shape.OutWidth() * shape.window_height;
      const size_t x = out / shape.channels % shape.OutWidth() * shape.window_width;
      int64_t& largest = pooled.largest.at(image, out);
      largest = INT64_MIN;
      for (size_t place = 0; place < shape.window_height * shape.window_width; ++place) {
        const size_t pixel =
            (y + place / shape.window_width) * shape.width + x + place % shape.window_width;
        const int64_t element = images.at(image, pixel * shape.channels + out % shape.channels);
        if (element <= largest) continue;
        largest = element;
        pooled.places.at(image, out) = static_cast<int64_t>(place);
      }
    }
  }
  return pooled;
}

inline Matrix MaxPoolError(const Matrix& d, const Matrix& places, const PoolingShape& shape) {
  Matrix e(d.rows, shape.ImageElements());
  for (size_t image = 0; image < d.rows; ++image) {
    for (size_t out = 0; out < d.columns; ++out) {
      const auto place = static_cast<size_t>(places.at(image, out));
      const size_t y = out / shape.channels / shape.OutWidth() * shape.window_height;
      const size_t x = out / shape.channels % shape.OutWidth() * shape.window_width;
      const size_t pixel =
          (y + place / shape.window_width) * shape.width + x + place % shape.window_width;
      e.at(image, pixel * shape.channels + out % shape.channels) = d.at(image, out);
    }
  }
  return e;
}

}  // namespace tally::kernels::reference

#endif  // TALLY_CORE_KERNELS_REFERENCE_CONVOLUTION_H_
