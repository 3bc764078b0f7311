#include "client/datasets/synthetic_digits.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "core/arithmetic/check.h"
#include "core/arithmetic/philox.h"
#include "core/arithmetic/rounding.h"

namespace tally {
namespace {

// Lengths on the canvas are in 1/256 pixel.
constexpr int32_t kPixel = 256;
constexpr int32_t kSide = 28;
constexpr uint32_t kClasses = 10;
// The stream of draws of this file; learners number their tensors from 1 on, far below.
constexpr uint32_t kDigitTensor = 0xD16175;

struct Point {
  int32_t x = 0;
  int32_t y = 0;
};

// A line through its points; smooth ones are rounded, closed ones return to the first point.
struct Stroke {
  enum Kind : uint8_t { kSharp, kSmooth, kLoop } kind;
  std::vector<Point> points;
};
using Glyph = std::vector<Stroke>;

constexpr auto kSharp = Stroke::kSharp;
constexpr auto kSmooth = Stroke::kSmooth;
constexpr auto kLoop = Stroke::kLoop;

// Ways to write each digit, in a box of 100 x 140 units, y downward.
const std::vector<Glyph>& GlyphsOf(uint32_t digit) {
  static const std::array<std::vector<Glyph>, kClasses> glyphs = {{
      {{{kLoop, {{50, 0}, {95, 5}, {100, 70}, {95, 135}, {50, 140}, {5, 135}, {0, 70}, {5, 5}}}},
       {{kLoop, {{60, 0}, {88, 20}, {80, 110}, {45, 140}, {15, 120}, {22, 30}}}}},
      {{{kSharp, {{50, 0}, {50, 140}}}},
       {{kSharp, {{22, 35}, {55, 0}, {55, 140}}}},
       {{kSharp, {{22, 30}, {55, 0}, {55, 140}}}, {kSharp, {{20, 140}, {88, 140}}}}},
      {{{kSmooth, {{5, 35}, {20, -4}, {80, -4}, {100, 35}, {70, 85}, {0, 140}}},
        {kSharp, {{0, 140}, {100, 140}}}},
       {{kSmooth,
         {{8, 25}, {45, -10}, {100, 15}, {80, 75}, {30, 145}, {-5, 135}, {15, 110}, {100, 140}}}}},
      {{{kSmooth, {{8, 15}, {50, -10}, {98, 20}, {80, 65}, {35, 68}}},
        {kSmooth, {{35, 68}, {95, 70}, {105, 115}, {60, 150}, {0, 125}}}},
       {{kSharp, {{5, 0}, {90, 0}, {42, 55}}},
        {kSmooth, {{42, 55}, {95, 60}, {105, 110}, {60, 150}, {0, 128}}}}},
      {{{kSharp, {{25, 0}, {5, 80}, {100, 80}}}, {kSharp, {{75, 20}, {70, 140}}}},
       {{kSharp, {{70, 140}, {70, 0}, {0, 92}, {100, 92}}}},
       {{kSmooth, {{10, 0}, {5, 60}, {50, 75}, {88, 60}}}, {kSharp, {{90, 0}, {85, 140}}}}},
      {{{kSharp, {{90, 0}, {20, 0}, {12, 60}}},
        {kSmooth, {{12, 60}, {60, 42}, {108, 75}, {95, 130}, {45, 150}, {0, 125}}}},
       {{kSmooth,
         {{95, 5}, {30, -5}, {10, 40}, {25, 62}, {85, 70}, {100, 110}, {50, 150}, {2, 130}}}}},
      {{{kSmooth, {{80, 0}, {25, 25}, {0, 80}, {4, 105}}},
        {kLoop, {{3, 100}, {20, 65}, {75, 60}, {100, 100}, {75, 142}, {20, 140}}}},
       {{kSharp, {{60, 0}, {8, 95}}},
        {kLoop, {{5, 105}, {25, 72}, {72, 70}, {92, 105}, {70, 140}, {25, 140}}}}},
      {{{kSharp, {{0, 0}, {100, 0}, {40, 140}}}},
       {{kSharp, {{0, 0}, {100, 0}, {40, 140}}}, {kSharp, {{30, 72}, {88, 72}}}},
       {{kSharp, {{2, 25}, {2, 0}, {98, 0}}}, {kSmooth, {{98, 0}, {60, 60}, {45, 140}}}}},
      {{{kLoop, {{50, -2}, {90, 6}, {88, 60}, {50, 68}, {12, 60}, {10, 6}}},
        {kLoop, {{50, 66}, {95, 76}, {100, 134}, {50, 142}, {0, 134}, {5, 76}}}},
       {{kLoop, {{88, 20}, {50, -10}, {8, 20}, {90, 105}, {55, 150}, {8, 110}}}}},
      {{{kLoop, {{2, 40}, {22, -2}, {78, -2}, {98, 40}, {75, 78}, {22, 78}}},
        {kSmooth, {{97, 40}, {98, 95}, {55, 142}}}},
       {{kLoop, {{5, 38}, {28, 0}, {75, 0}, {95, 35}, {72, 72}, {25, 72}}},
        {kSharp, {{95, 35}, {88, 140}}}},
       {{kLoop, {{10, 38}, {35, 0}, {85, 5}, {90, 40}, {60, 70}, {20, 70}}},
        {kSmooth, {{90, 30}, {95, 110}, {60, 145}, {10, 130}}}}},
  }};
  return glyphs[digit];
}

// Random integers of one image, one after the other.
class Dice {
 public:
  Dice(uint64_t seed, uint32_t part, uint32_t image)
      : draws_(seed, uint64_t{part} << 32 | image, kDigitTensor) {}

  uint32_t Below(uint32_t bound) { return draws_.At(next_++, bound); }
  // Uniform in [low, high].
  int32_t Between(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(Below(static_cast<uint32_t>(high - low + 1)));
  }
  // In [-spread, spread], values near 0 more often: the mean of two uniform ones.
  int32_t Around(int32_t spread) {
    return DivTrunc(Between(-spread, spread) + Between(-spread, spread), 2);
  }

 private:
  UniformDraws draws_;
  uint64_t next_ = 0;
};

// Where and how large one image is drawn: p -> matrix * (p - centre) / 256 + offset.
struct Placement {
  int32_t xx, xy, yx, yy;  // canvas units a glyph unit, times 256
  Point offset;
};

// 256 * sin of 0, 2, 4, ... 30 degrees.
constexpr std::array<int32_t, 16> kSine = {0,  9,  18, 27, 36,  44,  53,  62,
                                           71, 79, 88, 96, 104, 112, 120, 128};

Placement DrawPlacement(Dice& dice) {
  constexpr int32_t kTurnSteps = 13;  // of 2 degrees
  const int32_t turn = dice.Around(kTurnSteps);
  const int32_t sine =
      turn < 0 ? -kSine[static_cast<size_t>(-turn)] : kSine[static_cast<size_t>(turn)];
  const int32_t cosine =
      static_cast<int32_t>(Isqrt(static_cast<uint64_t>(256 * 256 - sine * sine)));
  // 140 units are 20 pixels at full size.
  const int32_t size = dice.Between(25, 38);  // canvas units a glyph unit
  const int32_t width = DivTrunc(size * dice.Between(70, 110), 100);
  const int32_t shear = dice.Around(80);  // 1/256
  Placement placement;
  placement.xx = width * cosine;
  placement.xy = size * (DivTrunc(shear * cosine, 256) - sine);
  placement.yx = width * sine;
  placement.yy = size * (DivTrunc(shear * sine, 256) + cosine);
  constexpr int32_t kShift = 13 * kPixel / 4;
  placement.offset = {kSide * kPixel / 2 + dice.Around(kShift),
                      kSide * kPixel / 2 + dice.Around(kShift)};
  return placement;
}

Point Place(const Placement& placement, Point p) {
  const int32_t x = p.x - 50;
  const int32_t y = p.y - 70;
  return {DivTrunc(placement.xx * x + placement.xy * y, 256) + placement.offset.x,
          DivTrunc(placement.yx * x + placement.yy * y, 256) + placement.offset.y};
}

Point Mix(Point a, Point b, int32_t quarters_of_b) {
  const int32_t quarters_of_a = 4 - quarters_of_b;
  return {DivTrunc(a.x * quarters_of_a + b.x * quarters_of_b, 4),
          DivTrunc(a.y * quarters_of_a + b.y * quarters_of_b, 4)};
}

// Chaikin's corner cutting (1974): each pass replaces every corner by two gentler ones.
std::vector<Point> CutCorners(const std::vector<Point>& points, bool closed) {
  std::vector<Point> cut;
  if (!closed) cut.push_back(points.front());
  const size_t edges = closed ? points.size() : points.size() - 1;
  for (size_t i = 0; i < edges; ++i) {
    const Point a = points[i];
    const Point b = points[(i + 1) % points.size()];
    cut.push_back(Mix(a, b, 1));
    cut.push_back(Mix(a, b, 3));
  }
  if (!closed) cut.push_back(points.back());
  return cut;
}

// The stroke as a line of points on the canvas, every control point moved a little.
std::vector<Point> Trace(const Stroke& stroke, const Placement& placement, Dice& dice) {
  constexpr int32_t kJitter = 9;  // glyph units
  std::vector<Point> points;
  for (const Point p : stroke.points) {
    points.push_back(Place(placement, {p.x + dice.Around(kJitter), p.y + dice.Around(kJitter)}));
  }
  const bool closed = stroke.kind == kLoop;
  if (stroke.kind != kSharp) {
    points = CutCorners(CutCorners(points, closed), closed);
  }
  if (closed) points.push_back(points.front());
  return points;
}

int32_t SquaredDistance(Point a, Point b) {
  return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

// From `p` to the nearest point of the segment a b. All within some 40 pixels: products fit int32.
int32_t SquaredDistanceToSegment(Point p, Point a, Point b) {
  const int32_t length_squared = SquaredDistance(a, b);
  if (length_squared == 0) return SquaredDistance(p, a);
  const int64_t along = int64_t{p.x - a.x} * (b.x - a.x) + int64_t{p.y - a.y} * (b.y - a.y);
  const auto t = static_cast<int32_t>(
      DivTrunc(Clamp<int64_t>(along, 0, length_squared) * 256, int64_t{length_squared}));
  const Point nearest = {a.x + DivTrunc((b.x - a.x) * t, 256),
                         a.y + DivTrunc((b.y - a.y) * t, 256)};
  return SquaredDistance(p, nearest);
}

// For each pixel the squared distance from its centre to the nearest stroke, as far as the pen
// reaches.
class Canvas {
 public:
  Canvas() { squared_distances_.fill(std::numeric_limits<int32_t>::max()); }

  void Line(Point a, Point b, int32_t reach) {
    const int32_t left = PixelAt(std::min(a.x, b.x) - reach);
    const int32_t right = PixelAt(std::max(a.x, b.x) + reach);
    const int32_t top = PixelAt(std::min(a.y, b.y) - reach);
    const int32_t bottom = PixelAt(std::max(a.y, b.y) + reach);
    for (int32_t y = top; y <= bottom; ++y) {
      for (int32_t x = left; x <= right; ++x) {
        const Point centre = {x * kPixel + kPixel / 2, y * kPixel + kPixel / 2};
        int32_t& nearest = squared_distances_[static_cast<size_t>(y * kSide + x)];
        nearest = std::min(nearest, SquaredDistanceToSegment(centre, a, b));
      }
    }
  }

  // Distance in canvas units.
  int32_t DistanceAt(size_t pixel) const {
    return static_cast<int32_t>(Isqrt(static_cast<uint64_t>(squared_distances_[pixel])));
  }

 private:
  static int32_t PixelAt(int32_t position) {
    return Clamp(DivFloor(position, kPixel), 0, kSide - 1);
  }

  std::array<int32_t, kSide * kSide> squared_distances_;
};

void DrawImage(uint32_t digit, Dice& dice, std::span<std::byte> image) {
  const std::vector<Glyph>& glyphs = GlyphsOf(digit);
  const Glyph& glyph = glyphs[dice.Below(static_cast<uint32_t>(glyphs.size()))];
  const Placement placement = DrawPlacement(dice);
  const int32_t pen = dice.Between(160, 420);  // half the width of a stroke
  const int32_t ink = dice.Between(150, 255);
  Canvas canvas;
  for (const Stroke& stroke : glyph) {
    const std::vector<Point> line = Trace(stroke, placement, dice);
    for (size_t i = 0; i + 1 < line.size(); ++i) canvas.Line(line[i], line[i + 1], pen + kPixel);
  }
  for (size_t pixel = 0; pixel < image.size(); ++pixel) {
    // Full ink up to half a pixel inside the edge, none from half a pixel outside.
    const int32_t coverage = Clamp(pen + kPixel / 2 - canvas.DistanceAt(pixel), 0, kPixel);
    const int32_t noise = dice.Around(24);
    image[pixel] = static_cast<std::byte>(Clamp(DivTrunc(ink * coverage, kPixel) + noise, 0, 255));
  }
}

}  // namespace

Dataset DrawDigits(uint64_t seed, uint32_t part, uint32_t count) {
  TALLY_CHECK(uint64_t{count} * kSide * kSide <= kDatasetBytesMax);
  Dataset dataset;
  dataset.shape = {kSide, kSide};
  dataset.type = ElementType::kUint8;
  dataset.rows.resize(size_t{count} * kSide * kSide);
  dataset.labels.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    Dice dice(seed, part, i);
    dataset.labels[i] = dice.Below(kClasses);
    DrawImage(dataset.labels[i], dice,
              std::span(dataset.rows).subspan(size_t{i} * kSide * kSide, kSide * kSide));
  }
  return dataset;
}

}  // namespace tally
