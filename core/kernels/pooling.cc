#include "core/kernels/pooling.h"

#include <algorithm>
#include <cstring>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

void CheckShape(const PoolingShape& shape, size_t image_elements, size_t out_elements) {
  TALLY_CHECK(shape.window_height > 0 && shape.window_width > 0 && shape.channels > 0);
  TALLY_CHECK(shape.OutHeight() > 0 && shape.OutWidth() > 0);
  TALLY_CHECK(shape.window_height * shape.window_width <= 256);
  TALLY_CHECK(image_elements == shape.ImageElements() && out_elements == shape.OutElements());
}

// Calls visit(row of windows, column of windows, index of its first element in the result).
template <class Visit>
void ForEachWindow(const PoolingShape& shape, const Visit& visit) {
  for (size_t y = 0; y < shape.OutHeight(); ++y) {
    for (size_t x = 0; x < shape.OutWidth(); ++x) {
      visit(y, x, (y * shape.OutWidth() + x) * shape.channels);
    }
  }
}

// Calls visit(place, index of its first element in the image) for the places of a window in order.
template <class Visit>
void ForEachPlace(const PoolingShape& shape, size_t y, size_t x, const Visit& visit) {
  for (size_t r = 0; r < shape.window_height; ++r) {
    for (size_t c = 0; c < shape.window_width; ++c) {
      const size_t pixel = (y * shape.window_height + r) * shape.width + x * shape.window_width + c;
      visit(static_cast<uint8_t>(r * shape.window_width + c), pixel * shape.channels);
    }
  }
}

// Sixteen channels at a time; a last group that is not whole overlaps the one before it, which
// none of these operations minds.
constexpr size_t kLanes = 16;
using Elements [[gnu::vector_size(16)]] = int8_t;
using Places [[gnu::vector_size(16)]] = uint8_t;

Elements Load(const int8_t* from) {
  Elements elements;
  std::memcpy(&elements, from, kLanes);
  return elements;
}
Places Load(const uint8_t* from) {
  Places places;
  std::memcpy(&places, from, kLanes);
  return places;
}
template <class Vector, class T>
void Store(const Vector& vector, T* to) {
  std::memcpy(to, &vector, kLanes);
}

template <class Group, class One>
void ForEachChannel(size_t channels, const Group& group, const One& one) {
  if (channels < kLanes) {
    for (size_t i = 0; i < channels; ++i) one(i);
    return;
  }
  size_t i = 0;
  for (; i + kLanes <= channels; i += kLanes) group(i);
  if (i < channels) group(channels - kLanes);
}

// The largest element of each channel of a window, and its first place if `places` is not null.
// Kept in registers from the first place to the last.
template <bool kPlaces>
void LargestOf(const PoolingShape& shape, const int8_t* corner, int8_t* best, uint8_t* places) {
  const size_t row = shape.width * shape.channels;
  ForEachChannel(
      shape.channels,
      [&](size_t i) {
        Elements largest = Load(corner + i);
        Places largest_places = {};
        uint8_t place = 0;
        for (size_t r = 0; r < shape.window_height; ++r) {
          for (size_t c = 0; c < shape.window_width; ++c, ++place) {
            const Elements candidate = Load(corner + r * row + c * shape.channels + i);
            const auto larger = candidate > largest;
            largest = larger ? candidate : largest;
            if (kPlaces) largest_places = larger ? Places{} + place : largest_places;
          }
        }
        Store(largest, best + i);
        if (kPlaces) Store(largest_places, places + i);
      },
      [&](size_t i) {
        int8_t largest = corner[i];
        uint8_t largest_place = 0;
        uint8_t place = 0;
        for (size_t r = 0; r < shape.window_height; ++r) {
          for (size_t c = 0; c < shape.window_width; ++c, ++place) {
            const int8_t candidate = corner[r * row + c * shape.channels + i];
            if (candidate <= largest) continue;
            largest = candidate;
            largest_place = place;
          }
        }
        best[i] = largest;
        if (kPlaces) places[i] = largest_place;
      });
}

// Of all windows of an image.
template <bool kPlaces>
void LargestOfAll(const PoolingShape& shape, const int8_t* pixels, int8_t* best, uint8_t* places) {
  ForEachWindow(shape, [&](size_t y, size_t x, size_t first) {
    const size_t corner = y * shape.window_height * shape.width + x * shape.window_width;
    LargestOf<kPlaces>(shape, pixels + corner * shape.channels, best + first,
                       kPlaces ? places + first : nullptr);
  });
}

void PlaceErrors(const int8_t* d, const uint8_t* places, uint8_t place, size_t channels,
                 int8_t* e) {
  ForEachChannel(
      channels,
      [&](size_t i) {
        const auto here = Load(places + i) == Places{} + place;
        Store(here ? Load(d + i) : Elements{}, e + i);
      },
      [&](size_t i) { e[i] = places[i] == place ? d[i] : int8_t{0}; });
}

// Rows and columns that no window has.
void ClearDropped(const PoolingShape& shape, int8_t* e) {
  const size_t used_rows = shape.OutHeight() * shape.window_height;
  const size_t used = shape.OutWidth() * shape.window_width * shape.channels;
  const size_t row = shape.width * shape.channels;
  for (size_t y = 0; y < used_rows; ++y)
    std::fill(e + y * row + used, e + (y + 1) * row, int8_t{0});
  std::fill(e + used_rows * row, e + shape.height * row, int8_t{0});
}

}  // namespace

void MaxPool(MatrixView<const int8_t> images, const PoolingShape& shape, MatrixView<int8_t> out,
             MatrixView<uint8_t> places) {
  CheckShape(shape, images.columns, out.columns);
  TALLY_CHECK(out.rows == images.rows && places.rows == out.rows);
  TALLY_CHECK(places.columns == out.columns);
  for (size_t image = 0; image < images.rows; ++image) {
    LargestOfAll<true>(shape, images.Row(image), out.Row(image), places.Row(image));
  }
}

void MaxPool(MatrixView<const int8_t> images, const PoolingShape& shape, MatrixView<int8_t> out) {
  CheckShape(shape, images.columns, out.columns);
  TALLY_CHECK(out.rows == images.rows);
  for (size_t image = 0; image < images.rows; ++image) {
    LargestOfAll<false>(shape, images.Row(image), out.Row(image), nullptr);
  }
}

void MaxPoolError(MatrixView<const int8_t> d, MatrixView<const uint8_t> places,
                  const PoolingShape& shape, MatrixView<int8_t> e) {
  CheckShape(shape, e.columns, d.columns);
  TALLY_CHECK(e.rows == d.rows && places.rows == d.rows && places.columns == d.columns);
  for (size_t image = 0; image < d.rows; ++image) {
    ClearDropped(shape, e.Row(image));
    ForEachWindow(shape, [&](size_t y, size_t x, size_t first) {
      ForEachPlace(shape, y, x, [&](uint8_t place, size_t pixel) {
        PlaceErrors(d.Row(image) + first, places.Row(image) + first, place, shape.channels,
                    e.Row(image) + pixel);
      });
    });
  }
}

}  // namespace tally::kernels
