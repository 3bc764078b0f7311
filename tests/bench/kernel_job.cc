#include "tests/bench/kernel_job.h"

#include <time.h>

#include <algorithm>

namespace tally::bench {
namespace {

constexpr size_t kPeakTurns = 10000;

double ThreadSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Time(size_t repeats, const std::function<void()>& work) {
  const double begin = ThreadSeconds();
  for (size_t i = 0; i < repeats; ++i) work();
  return ThreadSeconds() - begin;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Comparison::Comparison(const Job& job)
    : job_(job), repeats_(std::max<size_t>(1, static_cast<size_t>(4e7 / job.products))) {
  job.work();
  if (job.peer) job.peer();
}

double Comparison::Turn() {
  const double seconds = Time(repeats_, job_.work);
  rates_.push_back(job_.products * static_cast<double>(repeats_) / seconds);
  if (job_.peak.run != nullptr) {
    const double peak_seconds = Time(1, [&] { job_.peak.run(kPeakTurns); });
    shares_.push_back(rates_.back() / (job_.peak.products_per_turn * kPeakTurns / peak_seconds));
  }
  if (job_.peer) ratios_.push_back(Time(repeats_, job_.peer) / seconds);
  return seconds;
}

double Comparison::rate() const { return Median(rates_); }
double Comparison::share() const { return Median(shares_); }
double Comparison::ratio() const { return Median(ratios_); }

}  // namespace tally::bench
