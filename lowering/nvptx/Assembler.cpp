// Runs the assembler and reads what it prints.
#include "lowering/nvptx/Assembler.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// The number in front of `unit` in `line`, such as 8 of "0 bytes stack frame, 8 bytes spill stores".
static int64_t numberBefore(StringRef line, StringRef unit) {
  StringRef before = line.take_front(line.find(unit));
  if (before.size() == line.size())
    return 0;
  int64_t value = 0;
  before.rtrim().take_back(before.rtrim().size() - before.rtrim().find_last_not_of("0123456789") - 1).getAsInteger(10, value);
  return value;
}

/// What `messages` say of each of `kernels`; an error if they say anything else.
static Expected<std::vector<AssembledKernel>> readMessages(StringRef messages, ArrayRef<StringRef> kernels) {
  std::vector<AssembledKernel> assembled(kernels.size());
  AssembledKernel *current = nullptr;
  for (StringRef rest = messages; !rest.empty();) {
    auto [line, next] = rest.split('\n');
    rest = next;
    if (line.trim().empty())
      continue;
    if (line.contains("bytes stack frame") && current) {
      current->localBytes = numberBefore(line, " bytes stack frame");
      current->spillStoreBytes = numberBefore(line, " bytes spill stores");
      current->spillLoadBytes = numberBefore(line, " bytes spill loads");
      continue;
    }
    if (!line.consume_front("ptxas info"))
      return createStringError("the assembler says: " + line);
    line = line.ltrim(" :");
    if (line.consume_front("Function properties for ")) {
      const auto *kernel = llvm::find(kernels, line.trim());
      current = kernel == kernels.end() ? nullptr : &assembled[size_t(kernel - kernels.begin())];
    } else if (line.starts_with("Used ") && current) {
      current->registers = numberBefore(line, " registers");
      current->sharedBytes = numberBefore(line, " bytes smem");
    } else if (line.starts_with("(C")) {
      return createStringError("the assembler says: " + line);
    }
  }
  return assembled;
}

namespace {
/// The assembler at work for one chip, and its files, which go when it has ended.
class Assembly {
public:
  Assembly(StringRef assembler, StringRef chip) : assembler(assembler), chip(chip) {}
  Assembly(const Assembly &) = delete;
  ~Assembly() {
    if (process.Pid)
      (void)wait();
    for (StringRef path : paths)
      if (!path.empty())
        sys::fs::remove(path);
  }

  Error begin(StringRef text) {
    const char *const suffixes[] = {"ptx", "cubin", "log"};
    for (auto [path, suffix] : llvm::zip(paths, suffixes))
      if (std::error_code error = sys::fs::createTemporaryFile("moec", suffix, path))
        return createStringError(error, "cannot create a temporary file");
    std::error_code opened;
    raw_fd_ostream input(paths[0], opened);
    input << text;
    input.close();
    if (opened || input.has_error()) {
      input.clear_error();
      return createStringError("cannot write a temporary file");
    }
    std::string architecture = ("-arch=" + chip).str();
    StringRef arguments[] = {assembler, "-v", architecture, paths[0], "-o", paths[1]};
    std::optional<StringRef> redirects[] = {StringRef(), StringRef(paths[2]), StringRef(paths[2])};
    bool hasFailed = false;
    process = sys::ExecuteNoWait(assembler, arguments, std::nullopt, redirects, /*MemoryLimit=*/0, &failure, &hasFailed);
    if (!hasFailed)
      return Error::success();
    process = {};
    return createStringError(assembler + " failed for " + chip + ": " + failure);
  }

  Expected<ChipCode> finish(StringRef target, ArrayRef<StringRef> kernels) {
    int exit = wait();
    auto messages = MemoryBuffer::getFile(paths[2]);
    if (exit != 0 || !messages)
      return createStringError(assembler + " failed for " + chip + ": " +
                               (failure.empty() && messages ? (*messages)->getBuffer().take_front(2000) : StringRef(failure)));
    auto assembled = readMessages((*messages)->getBuffer(), kernels);
    if (!assembled)
      return assembled.takeError();
    auto bytes = MemoryBuffer::getFile(paths[1], /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!bytes)
      return createStringError(bytes.getError(), "cannot read the assembled kernels");
    return ChipCode{chip.str(), ("cubin/" + target + "/" + chip).str(), (*bytes)->getBuffer().str(), std::move(*assembled)};
  }

private:
  int wait() {
    constexpr unsigned longest = 1800; // seconds, of one of several that share the processors
    sys::ProcessInfo ended = sys::Wait(std::exchange(process, {}), longest, &failure);
    return ended.ReturnCode;
  }

  const StringRef assembler, chip;
  SmallString<128> paths[3]; ///< what it reads, writes and says
  sys::ProcessInfo process;
  std::string failure;
};
} // namespace

Expected<std::vector<ChipCode>> moec::lowering::nvptx::assemble(StringRef assembler, const GpuCode &code, ArrayRef<StringRef> chips,
                                                                ArrayRef<StringRef> kernels) {
  std::vector<std::unique_ptr<Assembly>> assemblies;
  for (StringRef chip : chips) {
    assemblies.push_back(std::make_unique<Assembly>(assembler, chip));
    if (Error error = assemblies.back()->begin(code.text))
      return error;
  }
  std::vector<ChipCode> assembled;
  for (const std::unique_ptr<Assembly> &assembly : assemblies) {
    Expected<ChipCode> ofChip = assembly->finish(code.target, kernels);
    if (!ofChip)
      return ofChip.takeError();
    assembled.push_back(std::move(*ofChip));
  }
  return assembled;
}
