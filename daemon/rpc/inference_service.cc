#include "daemon/rpc/inference_service.h"

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/rpc/infer.h"
#include "daemon/rpc/status_details.h"
#include "daemon/rpc/validation.h"

namespace tally::rpc {
namespace {

// The position that "the current version" means; 0 while there is none.
uint64_t CurrentPosition(const hosting::ModelHost& host) {
  const auto snapshot = host.snapshot();
  return snapshot == nullptr ? 0 : snapshot->position;
}

}  // namespace

grpc::ServerUnaryReactor* InferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                       const inference::ServerLiveRequest*,
                                                       inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                        const inference::ServerReadyRequest*,
                                                        inference::ServerReadyResponse* response) {
  bool ready = !environment_.catalog->stopping();
  for (const auto& host : environment_.catalog->registry().List()) {
    const hosting::ModelState state = host->status().state;
    if (state == hosting::ModelState::kCreating || state == hosting::ModelState::kReplaying) {
      ready = false;
    }
  }
  response->set_ready(ready);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  const Catalog& catalog = *environment_.catalog;
  const auto host = catalog.Find("name", request->name(), Call::kModelReady);
  if (!host.ok()) return Answer(context, host.status());
  const auto snapshot = (*host)->snapshot();
  if (snapshot != nullptr) {
    absl::Status status = CheckVersion(request->version(), snapshot->position, request->name());
    if (!status.ok()) return Answer(context, status);
  }
  response->set_ready(snapshot != nullptr && !catalog.RefusalOf(**host));
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    grpc::CallbackServerContext* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  response->set_name("tally");
  response->set_version(environment_.version);
  response->add_extensions("tally.v1.Training");
  response->add_extensions("tally.v1.Models");
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    grpc::CallbackServerContext* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  // On the pool: the kept generations are read from disk.
  return RunOnPool(environment_, context,
                   [this, request, response] { return Describe(*request, *response); });
}

absl::Status InferenceService::Describe(const inference::ModelMetadataRequest& request,
                                        inference::ModelMetadataResponse& response) {
  TALLY_ASSIGN_OR_RETURN(const auto host,
                         environment_.catalog->Find("name", request.name(), Call::kModelMetadata));
  const std::shared_ptr<const ModelSpec> spec = host->spec();
  const hosting::HostStatus status = host->status();
  if (spec == nullptr) {
    return WithReason(absl::UnavailableError(text::StrCat("model \"", request.name(), "\" is ",
                                                          hosting::ModelStateName(status.state),
                                                          "; its spec is not known yet")),
                      "SPEC_UNKNOWN");
  }
  const bool has_snapshot = host->snapshot() != nullptr;
  const uint64_t current = CurrentPosition(*host);
  if (has_snapshot) {
    TALLY_RETURN_IF_ERROR(CheckVersion(request.version(), current, request.name()));
  }
  const auto checkpoints = host->ListCheckpoints();
  if (checkpoints.ok()) {
    for (const hosting::CheckpointInfo& info : *checkpoints) {
      if (!has_snapshot || info.position != current) {
        response.add_versions(text::StrCat(info.position));
      }
    }
  }
  if (has_snapshot) response.add_versions(text::StrCat(current));
  response.set_name(request.name());
  response.set_platform("tally_safetensors");
  DescribeTensors(*spec, response);
  auto& properties = *response.mutable_properties();
  properties["algorithm"] = spec->algorithm;
  properties["classes"] = text::StrCat(spec->classes);
  properties["state"] = std::string(hosting::ModelStateName(status.state));
  properties["step"] = text::StrCat(status.step);
  return absl::OkStatus();
}

// Inline on gRPC's thread: a hand-over would cost more than the prediction.
grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const inference::ModelInferRequest* request,
                                                       inference::ModelInferResponse* response) {
  const auto host =
      environment_.catalog->Find("model_name", request->model_name(), Call::kModelInfer);
  if (!host.ok()) return Answer(context, host.status());
  const auto snapshot = (*host)->snapshot();
  if (snapshot == nullptr) {
    return Answer(context, absl::UnavailableError("the model has no snapshot any more; try again"));
  }
  return Answer(context, Infer(*snapshot, *request, *environment_.limits, *response));
}

}  // namespace tally::rpc
