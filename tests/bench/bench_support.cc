#include "tests/bench/bench_support.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "client/datasets/cifar10.h"
#include "client/datasets/idx.h"
#include "core/algorithms/algorithms.h"
#include "core/arithmetic/shuffle.h"
#include "core/learner/model_spec_reader.h"

namespace tally::bench {
namespace {

int64_t Read(clockid_t clock) {
  timespec time = {};
  if (clock_gettime(clock, &time) != 0) return -1;
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

absl::StatusOr<ModelSpec> ReadSpecFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return ModelSpecFromYaml(text.str(), path);
}

}  // namespace

int64_t ThreadCpuNs() { return Read(CLOCK_THREAD_CPUTIME_ID); }
int64_t ProcessCpuNs() { return Read(CLOCK_PROCESS_CPUTIME_ID); }
int64_t WallNs() { return Read(CLOCK_MONOTONIC); }

int64_t CpuNsOf(pid_t process) {
  clockid_t clock = 0;
  return clock_getcpuclockid(process, &clock) == 0 ? Read(clock) : -1;
}

int64_t Median(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

Samples ReadSamples(const std::string& images, const std::string& labels) {
  const auto dataset = labels == "-" ? ReadCifar10({images}, 10) : ReadIdx(images, labels, 65536);
  if (!dataset.ok()) {
    std::fprintf(stderr, "%s\n", std::string(dataset.status().message()).c_str());
    std::exit(66);
  }
  Samples samples;
  samples.row_bytes = dataset->row_bytes();
  samples.pixels.resize(dataset->rows.size());
  std::byte* to = samples.pixels.data();
  for (const uint32_t i : EpochOrder(1, 0, dataset->count())) {
    std::memcpy(to, dataset->row(i).data(), samples.row_bytes);
    to += samples.row_bytes;
    samples.labels.push_back(dataset->labels[i]);
  }
  return samples;
}

ModelSpec SpecWithRows(const std::string& network, uint64_t rows) {
  auto spec = network.ends_with(".yaml") ? ReadSpecFile(network) : ZooSpec(network);
  if (!spec.ok()) {
    std::fprintf(stderr, "%s\n", std::string(spec.status().message()).c_str());
    std::exit(64);
  }
  if (rows == 0) return *std::move(spec);
  if (rows > spec->batch_size) {
    for (RatePoint& point : spec->learning_rate) {
      point.inverse = static_cast<uint32_t>(point.inverse * rows / spec->batch_size);
    }
  }
  spec->batch_size = static_cast<uint32_t>(rows);
  return *std::move(spec);
}

double FloatRate(uint64_t rows) { return std::clamp(static_cast<double>(rows) * 0.005, 0.01, 0.2); }

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, status.ToString().c_str());
  std::exit(70);
}

uint64_t ParseCount(const char* text, const char* usage) {
  uint64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc() || rest != end || value == 0) {
    std::fprintf(stderr, "\"%s\" is not a whole number from 1 on\n%s", text, usage);
    std::exit(64);
  }
  return value;
}

}  // namespace tally::bench
