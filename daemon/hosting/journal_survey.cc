#include "daemon/hosting/journal_survey.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/record.h"

namespace tally::hosting {
namespace {

absl::Status Note(const storage::Record& record, uint64_t load_from, JournalSurvey& survey) {
  if (survey.oldest_position == 0) survey.oldest_position = record.first_position;
  if (survey.segments.empty() || survey.segments.back() != record.segment) {
    survey.segments.push_back(record.segment);
  }
  const uint64_t last = record.first_position + storage::PositionCount(record.body) - 1;
  if (std::holds_alternative<storage::SamplesRecord>(record.body)) {
    if (last > load_from) {
      survey.load.samples += last - std::max(load_from, record.first_position - 1);
    }
  } else if (std::holds_alternative<storage::FlushRecord>(record.body)) {
    if (last > load_from) ++survey.load.flushes;
  } else if (const auto* digest = std::get_if<storage::DigestRecord>(&record.body)) {
    const auto [known, fresh] =
        survey.digests.back().try_emplace(digest->step, digest->state_digest);
    if (!fresh && known->second != digest->state_digest) {
      return absl::DataLossError(text::StrCat("journal record at position ", record.first_position,
                                              ": digest of step ", digest->step,
                                              " contradicts an earlier record of that step"));
    }
  } else if (const auto* rollback = std::get_if<storage::RollbackRecord>(&record.body)) {
    survey.rollbacks.push_back({record.first_position, rollback->target_position});
    survey.digests.emplace_back();
  }
  return absl::OkStatus();
}

}  // namespace

size_t JournalSurvey::EraAfter(uint64_t position) const {
  size_t era = 0;
  while (era < rollbacks.size() && rollbacks[era].position <= position) ++era;
  return era;
}

uint64_t JournalSurvey::SegmentOf(uint64_t position) const {
  const auto behind = std::upper_bound(segments.begin(), segments.end(), position);
  return behind == segments.begin() ? 0 : *std::prev(behind);
}

const std::string* JournalSurvey::Digest(size_t era, uint64_t step) const {
  const auto found = digests[era].find(step);
  return found == digests[era].end() ? nullptr : &found->second;
}

absl::StatusOr<JournalSurvey> SurveyJournal(storage::FileSystem& fs, const std::string& directory,
                                            uint64_t load_from,
                                            const std::function<absl::Status()>& visited) {
  JournalSurvey survey;
  survey.digests.emplace_back();
  TALLY_ASSIGN_OR_RETURN(survey.tail,
                         storage::ScanJournal(fs, directory, 0, [&](storage::Record record) {
                           TALLY_RETURN_IF_ERROR(visited());
                           return Note(record, load_from, survey);
                         }));
  return survey;
}

}  // namespace tally::hosting
