#include "tests/bench/convolution_jobs.h"

#include "core/kernels/convolution.h"
#include "core/kernels/panel_sums.h"

namespace tally::bench {
namespace {

using kernels::ConvolutionShape;
using kernels::Level;
using kernels::PanelSums;

// So many images that a turn is some milliseconds.
struct Layer {
  const char* name;
  ConvolutionShape shape;
  size_t images;

  double products() const {
    return static_cast<double>(images * shape.Positions() * shape.Depth() * shape.units);
  }
};

constexpr Layer kLayers[] = {
    {"lenet-1", {28, 28, 1, 5, 5, 0, 0, 20}, 64},     {"lenet-2", {12, 12, 20, 5, 5, 0, 0, 50}, 64},
    {"vgg-1", {32, 32, 3, 3, 3, 1, 1, 64}, 16},       {"vgg-2", {32, 32, 64, 3, 3, 1, 1, 64}, 4},
    {"vgg-3", {16, 16, 64, 3, 3, 1, 1, 128}, 8},      {"vgg-4", {16, 16, 128, 3, 3, 1, 1, 128}, 4},
    {"vgg-5", {8, 8, 128, 3, 3, 1, 1, 256}, 8},       {"vgg-6", {8, 8, 256, 3, 3, 1, 1, 256}, 8},
    {"vgg-tiny-2", {32, 32, 16, 3, 3, 1, 1, 16}, 16}, {"signal", {1, 128, 9, 1, 9, 0, 4, 32}, 64}};

Job Forward(Level level, const Layer& layer) {
  const auto images = RandomMatrix<int8_t>(layer.images, layer.shape.ImageElements(), 127);
  const auto weights = Packed(*RandomMatrix<int8_t>(layer.shape.Depth(), layer.shape.units, 127));
  const auto z = Zeros<int32_t>(layer.images * layer.shape.Positions(), layer.shape.units);
  return {layer.products(), Int8Peak(level),
          [=] { Convolve(images->matrix(), layer.shape, *weights, z->matrix()); }, nullptr};
}

Job Error(Level level, const Layer& layer) {
  const auto d =
      RandomMatrix<int8_t>(layer.images * layer.shape.Positions(), layer.shape.units, 127);
  const auto weights = Packed(*RandomMatrix<int8_t>(layer.shape.Depth(), layer.shape.units, 127));
  const auto e = Zeros<int32_t>(layer.images, layer.shape.ImageElements());
  return {layer.products(), Int8Peak(level),
          [=] { ConvolutionError(d->matrix(), layer.shape, *weights, e->matrix()); }, nullptr};
}

Job Gradient(Level level, const Layer& layer) {
  const auto images = RandomMatrix<int8_t>(layer.images, layer.shape.ImageElements(), 127);
  const auto d =
      RandomMatrix<int8_t>(layer.images * layer.shape.Positions(), layer.shape.units, 127);
  const auto sums = std::make_shared<PanelSums<int32_t>>(layer.shape.Depth(), layer.shape.units);
  return {layer.products(), Int8Peak(level),
          [=] { ConvolutionGradient(images->matrix(), d->matrix(), layer.shape, *sums); }, nullptr};
}

}  // namespace

std::vector<ConvolutionJob> ConvolutionJobs() {
  std::vector<ConvolutionJob> jobs;
  for (const Layer& layer : kLayers) {
    const auto add = [&](const char* kind, Job (*make)(Level, const Layer&)) {
      jobs.push_back({kind, layer.name, [=](Level level) { return make(level, layer); }});
    };
    add("convolve", Forward);
    add("convolve_error", Error);
    add("convolve_gradient", Gradient);
  }
  return jobs;
}

}  // namespace tally::bench
