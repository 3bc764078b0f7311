// Early return of absl::Status errors.

#ifndef TALLY_CORE_TEXT_STATUS_MACROS_H_
#define TALLY_CORE_TEXT_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TALLY_RETURN_IF_ERROR(expression)                                 \
  do {                                                                    \
    if (absl::Status tally_status_ = (expression); !tally_status_.ok()) { \
      return tally_status_;                                               \
    }                                                                     \
  } while (false)

#define TALLY_MACRO_JOIN_INNER(a, b) a##b
#define TALLY_MACRO_JOIN(a, b) TALLY_MACRO_JOIN_INNER(a, b)

// TALLY_ASSIGN_OR_RETURN(auto value, Expression());
#define TALLY_ASSIGN_OR_RETURN(target, expression)                          \
  auto TALLY_MACRO_JOIN(tally_statusor_, __LINE__) = (expression);          \
  if (!TALLY_MACRO_JOIN(tally_statusor_, __LINE__).ok()) {                  \
    return std::move(TALLY_MACRO_JOIN(tally_statusor_, __LINE__)).status(); \
  }                                                                         \
  target = *std::move(TALLY_MACRO_JOIN(tally_statusor_, __LINE__))

// The dotted path of the field an INVALID_ARGUMENT is about, carried beside the message so that the
// RPC boundary can put it into google.rpc.BadRequest.
inline constexpr char kFieldPayloadUrl[] = "tally.field";

#endif  // TALLY_CORE_TEXT_STATUS_MACROS_H_
