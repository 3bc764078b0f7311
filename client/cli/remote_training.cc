#include "client/cli/remote_training.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

constexpr uint64_t kPacketBytes = 64u << 10;
constexpr uint64_t kPacketRowsMax = 256;

absl::StatusOr<std::unique_ptr<TrainSession>> OpenSession(const Client& client,
                                                          const RemoteTrainingOptions& options,
                                                          RemoteTrainingObserver& observer) {
  TrainSessionOptions session;
  session.model = options.model;
  session.source = options.source;
  session.durability = options.durability;
  session.window_bytes = options.window_bytes;
  session.on_progress = [&](const TrainProgress& progress) { observer.OnProgress(progress); };
  session.on_interruption = [&](const absl::Status& cause, std::chrono::milliseconds delay) {
    observer.OnInterruption(cause, delay);
  };
  return TrainSession::Open(client, std::move(session));
}

// Sends the samples of `order` from `first` on and waits until all are acknowledged.
absl::Status SendEpoch(TrainSession& session, const Dataset& dataset,
                       std::span<const uint32_t> order, size_t first, size_t batch_rows) {
  SampleBuffer buffer;
  for (size_t begin = first; begin < order.size(); begin += batch_rows) {
    buffer.Gather(dataset, order.subspan(begin, std::min(batch_rows, order.size() - begin)));
    const auto rows = buffer.rows();
    TALLY_RETURN_IF_ERROR(session.Send(
        std::string(reinterpret_cast<const char*>(rows.data()), rows.size()), buffer.labels()));
  }
  return session.WaitAcknowledged();
}

}  // namespace

uint32_t DefaultBatchRows(uint64_t row_bytes) {
  return static_cast<uint32_t>(
      std::clamp(kPacketBytes / std::max<uint64_t>(row_bytes, 1), uint64_t{1}, kPacketRowsMax));
}

absl::StatusOr<RemoteTrainingReport> TrainRemotely(const Client& client, const Dataset& dataset,
                                                   const RemoteTrainingOptions& options,
                                                   RemoteTrainingObserver& observer) {
  const uint64_t samples = dataset.count();
  const uint64_t total = samples * options.plan.epochs;
  TALLY_ASSIGN_OR_RETURN(const auto session, OpenSession(client, options, observer));
  RemoteTrainingReport report;
  report.resumed_after = session->next_sequence() - 1;
  if (report.resumed_after > total) {
    return absl::FailedPreconditionError(
        text::StrCat("source \"", options.source, "\" has ", report.resumed_after,
                     " samples already, this training has ", total,
                     "; give the options of the first run, or another --source"));
  }
  const size_t batch_rows =
      options.batch_rows > 0 ? options.batch_rows : DefaultBatchRows(dataset.row_bytes());
  uint64_t done = report.resumed_after;
  // A source that stands at the end of an epoch may lack that epoch's flush.
  uint64_t epoch = done > 0 ? (done - 1) / samples : 0;
  for (; epoch < options.plan.epochs; ++epoch) {
    const auto number = static_cast<uint32_t>(options.plan.first_epoch + epoch);
    const std::vector<uint32_t> order = options.plan.Order(number, dataset.count());
    TALLY_RETURN_IF_ERROR(SendEpoch(*session, dataset, order,
                                    static_cast<size_t>(done - epoch * samples), batch_rows));
    done = (epoch + 1) * samples;
    TALLY_ASSIGN_OR_RETURN(report.last_flush, client.Flush(options.model));
    observer.OnEpoch(number, report.last_flush);
  }
  TALLY_RETURN_IF_ERROR(session->Finish());
  report.sent = total - report.resumed_after;
  report.interruptions = session->progress().interruptions;
  return report;
}

}  // namespace tally::cli
