#include "daemon/rpc/models_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/rpc/conversion.h"
#include "daemon/rpc/status_details.h"
#include "daemon/rpc/validation.h"

namespace tally::rpc {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
// A checkpoint holds at most so many bytes a parameter (weight, remainder, feedback) ...
constexpr uint64_t kCheckpointBytesPerParameter = 16;
// ... beside its header, source table and counters.
constexpr uint64_t kCheckpointOverheadBytes = uint64_t{16} << 20;

void ModelToProto(const Catalog& catalog, const hosting::ModelHost& host, v1::Model& out) {
  ToProto(host, catalog.RefusalOf(host), out);
}

absl::StatusOr<ModelSpec> SpecOf(const v1::CreateRequest& request) {
  ModelSpec spec;
  switch (request.from_case()) {
    case v1::CreateRequest::kSpec: {
      TALLY_ASSIGN_OR_RETURN(spec, SpecFromProto(request.spec()));
      break;
    }
    case v1::CreateRequest::kZoo: {
      absl::StatusOr<ModelSpec> zoo = ZooSpec(request.zoo());
      if (!zoo.ok()) {
        return WithResource(WithReason(zoo.status(), "ZOO_MODEL_NOT_FOUND"), "zoo model",
                            request.zoo());
      }
      spec = *std::move(zoo);
      break;
    }
    case v1::CreateRequest::FROM_NOT_SET:
      return FieldError("spec", "MISSING_FIELD", "missing, and zoo too; give one of them");
  }
  if (!request.name().empty()) spec.name = request.name();
  if (spec.name.empty()) {
    return FieldError("name", "MISSING_FIELD", "empty, and spec.name too; give one of them");
  }
  return spec;
}

// The position a rollback or export names, as the resource it is.
absl::Status AboutCheckpoint(const absl::Status& status, const std::string& model,
                             uint64_t position) {
  if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) {
    return WithResource(status, "model", model);
  }
  return WithResource(
      WithReason(status, absl::IsNotFound(status) ? "CHECKPOINT_NOT_FOUND" : "CHECKPOINT_DAMAGED"),
      "checkpoint", text::StrCat(model, "/", position));
}

absl::StatusOr<hosting::CheckpointInfo> InfoAt(hosting::ModelHost& host, uint64_t position) {
  TALLY_ASSIGN_OR_RETURN(const auto checkpoints, host.ListCheckpoints());
  for (const hosting::CheckpointInfo& info : checkpoints) {
    if (info.position == position) return info;
  }
  return absl::NotFoundError(text::StrCat("model \"", host.name(), "\" keeps no checkpoint at ",
                                          "position ", position, "; see ListCheckpoints"));
}

}  // namespace

// Reads the file on the pool, then writes it chunk by chunk. One at a time: each holds a whole
// checkpoint in memory, for as long as its client takes to read it.
class ModelsService::ExportCall : public grpc::ServerWriteReactor<v1::ExportResponse> {
 public:
  ExportCall(ModelsService& service, grpc::CallbackServerContext* context,
             const v1::ExportRequest* request)
      : environment_(service.environment_),
        exporting_(service.exporting_),
        open_(service.environment_.open_calls),
        context_(context),
        request_(*request) {
    owner_ = !exporting_.exchange(true);
    if (!owner_) {
      End(WithReason(
          absl::ResourceExhaustedError("another Export is under way; try again when it is done"),
          "TOO_MANY_EXPORTS"));
      return;
    }
    const bool taken = environment_.pool->TryRun([this] {
      absl::Status status = CheckStillWanted(*context_);
      if (status.ok()) status = Load();
      if (!status.ok()) {
        End(status);
      } else {
        WriteChunk();
      }
    });
    if (!taken) End(PoolFullError());
  }

  void OnWriteDone(bool ok) override {
    response_.clear_checkpoint();
    if (!ok) {
      End(absl::CancelledError("the client has gone"));
    } else if (sent_bytes_ == file_.size()) {
      End(absl::OkStatus());
    } else {
      WriteChunk();
    }
  }
  void OnDone() override { delete this; }

 private:
  // The next Export may come as soon as the client has this one's end.
  void End(const absl::Status& status) {
    std::string().swap(file_);
    if (owner_) exporting_.store(false);
    Finish(ToGrpcStatus(status));
  }

  absl::Status Load() {
    const Call call = request_.has_position() ? Call::kExport : Call::kCheckpoint;
    TALLY_ASSIGN_OR_RETURN(const auto host,
                           environment_.catalog->Find("name", request_.name(), call));
    uint64_t position = request_.position();
    absl::StatusOr<hosting::CheckpointInfo> info =
        request_.has_position() ? InfoAt(*host, position)
                                : host->Checkpoint(DeadlineNs(*context_, *environment_.clock));
    if (!info.ok()) return AboutCheckpoint(info.status(), request_.name(), position);
    position = info->position;
    absl::StatusOr<std::string> file = host->ReadCheckpoint(position);
    if (!file.ok()) return AboutCheckpoint(file.status(), request_.name(), position);
    file_ = *std::move(file);
    ToProto(*info, *response_.mutable_checkpoint());
    return absl::OkStatus();
  }

  void WriteChunk() {
    const size_t size = std::min(kChunkBytes, file_.size() - sent_bytes_);
    response_.set_chunk(file_.data() + sent_bytes_, size);
    sent_bytes_ += size;
    StartWrite(&response_);
  }

  const ServiceEnvironment& environment_;
  std::atomic<bool>& exporting_;
  const OpenCall open_;
  grpc::CallbackServerContext* const context_;
  const v1::ExportRequest request_;
  v1::ExportResponse response_;
  bool owner_ = false;
  std::string file_;
  size_t sent_bytes_ = 0;
};

// Collects the file, within a limit, then verifies and keeps it on the pool. One at a time: each
// may hold a whole model in memory.
class ModelsService::ImportCall : public grpc::ServerReadReactor<v1::ImportRequest> {
 public:
  ImportCall(ModelsService& service, grpc::CallbackServerContext* context,
             v1::ImportResponse* response)
      : service_(service),
        open_(service.environment_.open_calls),
        context_(context),
        response_(response) {
    owner_ = !service_.importing_.exchange(true);
    if (service_.environment_.catalog->draining()) {
      End(DrainingError());
    } else if (!owner_) {
      End(WithReason(
          absl::ResourceExhaustedError("another Import is under way; try again when it is done"),
          "TOO_MANY_IMPORTS"));
    } else {
      StartRead(&request_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      const bool taken = service_.environment_.pool->TryRun([this] {
        absl::Status status = CheckStillWanted(*context_);
        if (status.ok()) status = Keep();
        End(status);
      });
      if (!taken) End(PoolFullError());
      return;
    }
    if (absl::Status status = Collect(); !status.ok()) {
      End(status);
      return;
    }
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  // The next Import may come as soon as the client has this one's answer.
  void End(const absl::Status& status) {
    std::string().swap(file_);
    if (owner_) service_.importing_.store(false);
    Finish(ToGrpcStatus(status));
  }

  absl::Status Collect() {
    TALLY_RETURN_IF_ERROR(CheckMessageSize(request_, *service_.environment_.limits));
    if (first_) name_ = request_.name();
    if (first_ && !name_.empty()) {
      TALLY_RETURN_IF_ERROR(
          WithReason(WithField(CheckName("name", name_), "name"), "INVALID_NAME"));
    }
    if (!request_.name().empty() && request_.name() != name_) {
      return FieldError("name", "CHANGED_FIELD",
                        text::StrCat("\"", request_.name(), "\" after \"", name_, "\""));
    }
    first_ = false;
    const uint64_t bytes_max =
        service_.environment_.limits->parameters.load() * kCheckpointBytesPerParameter +
        kCheckpointOverheadBytes;
    if (file_.size() + request_.chunk().size() > bytes_max) {
      return FieldError(
          "chunk", "FILE_TOO_LARGE",
          text::StrCat("more than ", bytes_max, " bytes, which limits.parameters allows a file"));
    }
    file_ += request_.chunk();
    return absl::OkStatus();
  }

  absl::Status Keep() {
    if (file_.empty())
      return FieldError("chunk", "MISSING_FIELD", "empty; expected a checkpoint file");
    Catalog& catalog = *service_.environment_.catalog;
    const auto host = catalog.registry().Import(name_, file_);
    if (!host.ok()) {
      const std::string reason = absl::IsDataLoss(host.status()) ? "CHECKPOINT_DAMAGED" : "";
      absl::Status status = host.status();
      if (!reason.empty()) {
        status = WithResource(WithReason(status, reason), "checkpoint", name_);
      } else if (absl::IsInvalidArgument(status)) {
        status = WithReason(WithField(status, "chunk"), "NO_CHECKPOINT");
      }
      return WithResource(status, "model", name_);
    }
    ModelToProto(catalog, **host, *response_->mutable_model());
    return absl::OkStatus();
  }

  ModelsService& service_;
  const OpenCall open_;
  grpc::CallbackServerContext* const context_;
  v1::ImportResponse* const response_;
  v1::ImportRequest request_;
  bool owner_ = false;
  bool first_ = true;
  std::string name_;
  std::string file_;
};

grpc::ServerUnaryReactor* ModelsService::Create(grpc::CallbackServerContext* context,
                                                const v1::CreateRequest* request,
                                                v1::CreateResponse* response) {
  return RunOnPool(environment_, context, [this, request, response]() -> absl::Status {
    Catalog& catalog = *environment_.catalog;
    if (catalog.draining()) return DrainingError();
    TALLY_RETURN_IF_ERROR(CheckMessageSize(*request, *environment_.limits));
    TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, SpecOf(*request));
    const auto host = catalog.registry().Create(spec);
    if (!host.ok()) return WithResource(host.status(), "model", spec.name);
    ModelToProto(catalog, **host, *response->mutable_model());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelsService::Get(grpc::CallbackServerContext* context,
                                             const v1::GetRequest* request,
                                             v1::GetResponse* response) {
  const Catalog& catalog = *environment_.catalog;
  const auto host = catalog.Find("name", request->name(), Call::kGet);
  if (host.ok()) ModelToProto(catalog, **host, *response->mutable_model());
  return Answer(context, host.status());
}

grpc::ServerUnaryReactor* ModelsService::List(grpc::CallbackServerContext* context,
                                              const v1::ListRequest*, v1::ListResponse* response) {
  const Catalog& catalog = *environment_.catalog;
  if (catalog.draining()) return Answer(context, DrainingError());
  for (const auto& host : catalog.registry().List()) {
    ModelToProto(catalog, *host, *response->add_models());
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ModelsService::Delete(grpc::CallbackServerContext* context,
                                                const v1::DeleteRequest* request,
                                                v1::DeleteResponse*) {
  return RunOnPool(environment_, context, [this, request]() -> absl::Status {
    Catalog& catalog = *environment_.catalog;
    TALLY_ASSIGN_OR_RETURN(const auto host, catalog.Find("name", request->name(), Call::kDelete));
    const absl::Status deleted = catalog.registry().Delete(request->name());
    if (deleted.ok()) {
      catalog.Forget(request->name());
      environment_.health->ForgetModel(request->name());
    }
    return WithResource(deleted, "model", request->name());
  });
}

grpc::ServerUnaryReactor* ModelsService::Checkpoint(grpc::CallbackServerContext* context,
                                                    const v1::CheckpointRequest* request,
                                                    v1::CheckpointResponse* response) {
  return RunOnPool(environment_, context, [this, context, request, response]() -> absl::Status {
    TALLY_ASSIGN_OR_RETURN(const auto host,
                           environment_.catalog->Find("name", request->name(), Call::kCheckpoint));
    const auto info = host->Checkpoint(DeadlineNs(*context, *environment_.clock));
    if (!info.ok()) return WithResource(info.status(), "model", request->name());
    ToProto(*info, *response->mutable_checkpoint());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelsService::ListCheckpoints(grpc::CallbackServerContext* context,
                                                         const v1::ListCheckpointsRequest* request,
                                                         v1::ListCheckpointsResponse* response) {
  return RunOnPool(environment_, context, [this, request, response]() -> absl::Status {
    TALLY_ASSIGN_OR_RETURN(const auto host, environment_.catalog->Find("name", request->name(),
                                                                       Call::kListCheckpoints));
    const auto checkpoints = host->ListCheckpoints();
    if (!checkpoints.ok()) return WithResource(checkpoints.status(), "model", request->name());
    for (const hosting::CheckpointInfo& info : *checkpoints) {
      ToProto(info, *response->add_checkpoints());
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelsService::Rollback(grpc::CallbackServerContext* context,
                                                  const v1::RollbackRequest* request,
                                                  v1::RollbackResponse* response) {
  return RunOnPool(environment_, context, [this, context, request, response]() -> absl::Status {
    const Catalog& catalog = *environment_.catalog;
    TALLY_ASSIGN_OR_RETURN(const auto host, catalog.Find("name", request->name(), Call::kRollback));
    const auto info =
        host->Rollback(request->position(), DeadlineNs(*context, *environment_.clock));
    if (!info.ok()) return AboutCheckpoint(info.status(), request->name(), request->position());
    ModelToProto(catalog, *host, *response->mutable_model());
    ToProto(*info, *response->mutable_checkpoint());
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::ExportResponse>* ModelsService::Export(
    grpc::CallbackServerContext* context, const v1::ExportRequest* request) {
  return new ExportCall(*this, context, request);
}

grpc::ServerReadReactor<v1::ImportRequest>* ModelsService::Import(
    grpc::CallbackServerContext* context, v1::ImportResponse* response) {
  return new ImportCall(*this, context, response);
}

grpc::ServerUnaryReactor* ModelsService::Digest(grpc::CallbackServerContext* context,
                                                const v1::DigestRequest* request,
                                                v1::DigestResponse* response) {
  return RunOnPool(environment_, context, [this, context, request, response]() -> absl::Status {
    TALLY_ASSIGN_OR_RETURN(const auto host,
                           environment_.catalog->Find("name", request->name(), Call::kDigest));
    const auto digest = host->Digest(DeadlineNs(*context, *environment_.clock));
    if (!digest.ok()) return WithResource(digest.status(), "model", request->name());
    response->set_state_digest(digest->state_digest);
    response->set_step(digest->step);
    response->set_position(digest->position);
    return absl::OkStatus();
  });
}

}  // namespace tally::rpc
