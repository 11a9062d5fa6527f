# lit configuration: the build folder comes from --param build=DIR, by default build/ beside test/.
import os
import shutil
import lit.formats

config.name = "moec"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".mlir", ".test", ".sh"]  # a .sh is a check that says in its head how it is run
config.excludes = ["fixtures", "Inputs"]
config.test_source_root = os.path.dirname(os.path.abspath(__file__))
build = os.path.abspath(lit_config.params.get("build", os.path.join(config.test_source_root, "..", "build")))
config.test_exec_root = os.path.join(build, "test")
config.environment["PATH"] = os.pathsep.join([os.path.join(build, "bin"), "/usr/lib/llvm-22/bin", os.environ["PATH"]])
config.substitutions.append(("%fixtures", os.path.join(config.test_source_root, "fixtures")))
config.substitutions.append(("%build", build))
config.substitutions.append(("%root", os.path.dirname(config.test_source_root)))
if shutil.which("ptxas") or os.path.exists("/usr/local/cuda/bin/ptxas"):
    config.available_features.add("ptxas")  # NVIDIA's assembler, which no package has
for shell in ["fish", "zsh"]:
    if shutil.which(shell):
        config.available_features.add(shell)
