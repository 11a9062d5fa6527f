// Ownership of what the driver hands out.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_OWNED_H
#define MOEC_RUNTIME_DEVICES_CUDA_OWNED_H

#include "runtime/devices/cuda/Driver.h"

#include <utility>

namespace moec::runtime::cuda {

/// Gives a handle back when its owner goes. What the driver answers then is of no use to anybody: after a fault it refuses
/// everything.
template <typename Handle> class Owned {
public:
  Owned() = default;
  Owned(Handle handle, const EntryPoint<Handle> &release) : handle(handle), release(&release) {}
  Owned(Owned &&other) noexcept : handle(other.handle), release(std::exchange(other.release, nullptr)) {}
  Owned &operator=(Owned &&other) noexcept {
    std::swap(handle, other.handle);
    std::swap(release, other.release);
    return *this;
  }
  ~Owned() {
    if (release)
      (void)(*release)(handle);
  }

  Handle get() const { return handle; }

private:
  Handle handle{};
  const EntryPoint<Handle> *release = nullptr;
};

/// Calls `create` with a place for the handle, then `arguments`; `owner` has it from then on.
template <typename Handle, typename... Parameters>
Status acquire(Owned<Handle> &owner, const EntryPoint<Handle *, Parameters...> &create, const EntryPoint<Handle> &release,
               std::type_identity_t<Parameters>... arguments) {
  Handle handle{};
  MOEC_RETURN_IF_ERROR(create(&handle, arguments...));
  owner = Owned<Handle>(handle, release);
  return {};
}

/// A new context on GPU `ordinal`, which is not the calling thread's current one: whoever needs it says so.
inline Status createContext(Owned<Context> &context, const Driver &driver, int ordinal) {
  MOEC_RETURN_IF_ERROR(acquire(context, driver.contextCreate, driver.contextDestroy, 0, ordinal));
  Context created;
  return driver.contextPop(&created); // as it is made current
}

/// A context is the calling thread's current one as long as this lives; what was current before is so again afterwards.
class Current {
public:
  Current(const Driver &driver, Context context) : driver(driver), pushed(driver.contextPush(context)) {}
  ~Current() {
    Context popped;
    if (pushed.ok())
      (void)driver.contextPop(&popped);
  }
  Current(const Current &) = delete;

  const Status &status() const { return pushed; }

private:
  const Driver &driver;
  Status pushed;
};

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_OWNED_H
