// How the runtime reports what went wrong: a code and a sentence, never an exception.
#ifndef MOEC_RUNTIME_STATUS_H
#define MOEC_RUNTIME_STATUS_H

#include <optional>
#include <string>
#include <utility>

namespace moec::runtime {

enum class StatusCode {
  ok,
  invalidArgument,   ///< the caller asked for something that cannot be
  invalidData,       ///< a file or section is damaged, of another version or malformed
  unavailable,       ///< this machine or build cannot do it
  resourceExhausted, ///< memory, pages or time ran out
  ioError,           ///< the operating system refused
};

/// Success, or a code with a sentence that names the thing, what was expected and what was found. Cheap when it is success.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message) : statusCode(code), text(std::move(message)) {}

  bool ok() const { return statusCode == StatusCode::ok; }
  StatusCode code() const { return statusCode; }
  const std::string &message() const { return text; }

  static Status invalidArgument(std::string message) { return {StatusCode::invalidArgument, std::move(message)}; }
  static Status invalidData(std::string message) { return {StatusCode::invalidData, std::move(message)}; }
  static Status unavailable(std::string message) { return {StatusCode::unavailable, std::move(message)}; }
  static Status resourceExhausted(std::string message) { return {StatusCode::resourceExhausted, std::move(message)}; }
  static Status ioError(std::string message) { return {StatusCode::ioError, std::move(message)}; }

private:
  StatusCode statusCode = StatusCode::ok;
  std::string text;
};

/// A value, or the status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Status status) : failure(std::move(status)) {}

  bool ok() const { return held.has_value(); }
  const Status &status() const { return failure; }
  T &operator*() { return *held; }
  const T &operator*() const { return *held; }
  T *operator->() { return &*held; }
  const T *operator->() const { return &*held; }

private:
  std::optional<T> held;
  Status failure;
};

/// Moves a result's value to where it belongs, or says why there is none.
template <typename T, typename U> Status take(T &into, Result<U> result) {
  if (result.ok())
    into = std::move(*result);
  return result.status();
}

} // namespace moec::runtime

/// Returns from the function with the status of `expression` unless it is success.
#define MOEC_RETURN_IF_ERROR(expression)                                                                                           \
  do {                                                                                                                             \
    if (::moec::runtime::Status moecStatus = (expression); !moecStatus.ok())                                                       \
      return moecStatus;                                                                                                           \
  } while (false)

#endif // MOEC_RUNTIME_STATUS_H
