#include "daemon/hosting/prequential_counter.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/annotation_reader.h"

namespace tally::hosting {
namespace {

constexpr std::string_view kSeen = "prequential_seen";
constexpr std::string_view kCorrect = "prequential_correct";
constexpr std::string_view kRecent = "prequential_recent";

uint32_t RecentSeen(uint64_t seen) {
  return static_cast<uint32_t>(std::min<uint64_t>(seen, PrequentialCounter::kWindow));
}

// Where the outcome of a sample is in the ring.
size_t Slot(uint64_t sample) { return static_cast<size_t>(sample % PrequentialCounter::kWindow); }

absl::Status Contradiction(std::string_view what) {
  return absl::DataLossError(text::StrCat("checkpoint annotations contradict each other: ", what));
}

}  // namespace

void PrequentialCounter::Add(bool correct) {
  bool& outcome = outcomes_[Slot(seen_)];
  if (seen_ >= kWindow && outcome) --recent_correct_;
  outcome = correct;
  ++seen_;
  if (correct) {
    ++correct_;
    ++recent_correct_;
  }
}

Prequential PrequentialCounter::value() const {
  Prequential value;
  value.seen = seen_;
  value.correct = correct_;
  value.recent_seen = RecentSeen(seen_);
  if (value.recent_seen > 0) value.recent_permille = recent_correct_ * 1000 / value.recent_seen;
  return value;
}

void PrequentialCounter::Store(Annotations& annotations) const {
  // The window is written oldest sample first, one character each, so that a person can read it.
  const uint32_t recent = RecentSeen(seen_);
  std::string window;
  window.reserve(recent);
  for (uint64_t sample = seen_ - recent; sample < seen_; ++sample) {
    window.push_back(outcomes_[Slot(sample)] ? '1' : '0');
  }
  annotations[std::string(kSeen)] = text::StrCat(seen_);
  annotations[std::string(kCorrect)] = text::StrCat(correct_);
  annotations[std::string(kRecent)] = std::move(window);
}

absl::StatusOr<PrequentialCounter> PrequentialCounter::Restore(const Annotations& annotations) {
  PrequentialCounter counter;
  TALLY_ASSIGN_OR_RETURN(counter.seen_, ReadNumber(annotations, kSeen));
  TALLY_ASSIGN_OR_RETURN(counter.correct_, ReadNumber(annotations, kCorrect));
  TALLY_ASSIGN_OR_RETURN(const std::string_view window, ReadText(annotations, kRecent));
  if (window.size() != RecentSeen(counter.seen_)) {
    return Contradiction(text::StrCat(kRecent, " has ", window.size(), " outcomes, ", kSeen,
                                      " asks for ", RecentSeen(counter.seen_)));
  }
  uint64_t sample = counter.seen_ - window.size();
  for (const char outcome : window) {
    if (outcome != '0' && outcome != '1') return Contradiction("a window of other than 0 and 1");
    counter.outcomes_[Slot(sample++)] = outcome == '1';
    if (outcome == '1') ++counter.recent_correct_;
  }
  if (counter.correct_ > counter.seen_ || counter.correct_ < counter.recent_correct_) {
    return Contradiction(text::StrCat(counter.correct_, " correct of ", counter.seen_));
  }
  return counter;
}

}  // namespace tally::hosting
