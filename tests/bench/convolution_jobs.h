// The convolutions that kernels_bench times: the layers of niti/lenet, of the
// VGG 64-64-M-128-128-M-256-256-M on 32x32 pixels, and one layer of
// niti/vgg-tiny and of a network on signals.

#ifndef TALLY_TESTS_BENCH_CONVOLUTION_JOBS_H_
#define TALLY_TESTS_BENCH_CONVOLUTION_JOBS_H_

#include <functional>
#include <string>
#include <vector>

#include "core/kernels/level.h"
#include "tests/bench/kernel_job.h"

namespace tally::bench {

struct ConvolutionJob {
  std::string kind;   // "convolve", "convolve_error", "convolve_gradient"
  std::string layer;  // "lenet-1" ...
  std::function<Job(kernels::Level)> make;
};

std::vector<ConvolutionJob> ConvolutionJobs();

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_CONVOLUTION_JOBS_H_
