# Finds a libtorch, in this order: ESPALIER_LIBTORCH (the folder that holds include/ and lib/), the PyTorch of python3
# on the PATH, the one that eng/setup.sh fetched, the system's.
# Sets LIBTORCH_{VERSION,LIB_DIR,INCLUDE_DIRS,LIBRARIES,RPATH,BLAS,CXX_STANDARD,CXX11_ABI,GLOO,NCCL,CUDA_INCLUDE_DIRS}.

set(LIBTORCH_ROOT "$ENV{ESPALIER_LIBTORCH}")
if(LIBTORCH_ROOT AND NOT EXISTS "${LIBTORCH_ROOT}/include/ATen/ATen.h")
  message(FATAL_ERROR "ESPALIER_LIBTORCH=${LIBTORCH_ROOT} holds no include/ATen/ATen.h. HINT: name the folder of a "
    "libtorch, or of a PyTorch's 'torch' package, that holds include/ and lib/.")
endif()

if(NOT LIBTORCH_ROOT)
  # Debian's python3-torch has no files of its own there: links to the system's libtorch (13), or nothing (12).
  execute_process(
    COMMAND python3 -c "import importlib.util, os; s = importlib.util.find_spec('torch'); print(os.path.dirname(s.origin) if s else '')"
    OUTPUT_VARIABLE python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(python_torch AND EXISTS "${python_torch}/include/ATen/ATen.h" AND EXISTS "${python_torch}/lib/libtorch_cpu.so")
    set(LIBTORCH_ROOT "${python_torch}")
  endif()
endif()

set(fetched_torch "${CMAKE_CURRENT_SOURCE_DIR}/../build/libtorch/torch")
if(NOT LIBTORCH_ROOT AND EXISTS "${fetched_torch}/include/ATen/ATen.h")
  get_filename_component(LIBTORCH_ROOT "${fetched_torch}" ABSOLUTE)
endif()

if(LIBTORCH_ROOT)
  set(LIBTORCH_LIB_DIR "${LIBTORCH_ROOT}/lib")
  set(include_root "${LIBTORCH_ROOT}/include")
else()
  find_library(system_torch torch_cpu)
  find_path(include_root ATen/ATen.h)
  if(NOT system_torch OR NOT include_root)
    message(FATAL_ERROR "No libtorch found. HINT: on Debian or Ubuntu install libtorch-dev; elsewhere install PyTorch "
      "for the python3 on the PATH, or set ESPALIER_LIBTORCH to a folder with libtorch's include/ and lib/.")
  endif()
  get_filename_component(LIBTORCH_LIB_DIR "${system_torch}" DIRECTORY)
endif()
set(LIBTORCH_INCLUDE_DIRS "${include_root}" "${include_root}/torch/csrc/api/include")

file(STRINGS "${include_root}/torch/csrc/api/include/torch/version.h" version_lines REGEX "define TORCH_VERSION_M")
if(NOT version_lines)
  file(STRINGS "${include_root}/torch/headeronly/version.h" version_lines REGEX "define TORCH_VERSION_M")
endif()
string(REGEX REPLACE ".*TORCH_VERSION_MAJOR ([0-9]+).*" "\\1" version_major "${version_lines}")
string(REGEX REPLACE ".*TORCH_VERSION_MINOR ([0-9]+).*" "\\1" version_minor "${version_lines}")
set(LIBTORCH_VERSION "${version_major}.${version_minor}")
if(LIBTORCH_VERSION VERSION_LESS 1.13)
  message(FATAL_ERROR "libtorch ${LIBTORCH_VERSION} in ${LIBTORCH_LIB_DIR} is too old. HINT: use 1.13 or later.")
endif()
if(LIBTORCH_VERSION VERSION_LESS 2.10)
  set(LIBTORCH_CXX_STANDARD 17)
else()
  set(LIBTORCH_CXX_STANDARD 20)
endif()

find_library(c10_library c10 PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH REQUIRED)
find_library(torch_cpu_library torch_cpu PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH REQUIRED)
set(LIBTORCH_LIBRARIES "${torch_cpu_library}" "${c10_library}")
set(LIBTORCH_RPATH "${LIBTORCH_LIB_DIR}")
foreach(name c10_cuda torch_cuda)
  find_library(${name}_library ${name} PATHS "${LIBTORCH_LIB_DIR}" NO_DEFAULT_PATH)
  if(${name}_library)
    list(APPEND LIBTORCH_LIBRARIES "${${name}_library}")
  endif()
endforeach()

# Most binary wheels of PyTorch before 2.7 were built with the old std::string, which is mangled as Ss.
execute_process(COMMAND grep -q SourceLocationESs "${c10_library}" RESULT_VARIABLE no_old_string)
if(no_old_string)
  set(LIBTORCH_CXX11_ABI 1)
else()
  set(LIBTORCH_CXX11_ABI 0)
endif()

# The system's libtorch takes whatever BLAS the system has chosen, and must be given the one whose threads are OpenMP's.
# Others (PyTorch's wheels, conda's) bring theirs. Where the file really lies tells them apart, because Debian 13's
# python3-torch looks like a wheel and is a folder of links to the system's.
set(LIBTORCH_BLAS "")
get_filename_component(real_torch "${torch_cpu_library}" REALPATH)
if(real_torch MATCHES "^/usr/lib" AND NOT real_torch MATCHES "/torch/lib/")
  file(GLOB openmp_blas /usr/lib/*/openblas-openmp/libblas.so.3)
  if(openmp_blas)
    list(GET openmp_blas 0 LIBTORCH_BLAS)
    get_filename_component(blas_dir "${LIBTORCH_BLAS}" DIRECTORY)
    set(LIBTORCH_RPATH "${blas_dir}:${LIBTORCH_RPATH}")
  endif()
endif()

# Ranks talk through c10d's Gloo. Its header wants Gloo's own, which PyTorch's wheels lack and Debian has in libgloo-dev.
# A program with the whole header tells whether they fit.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_INCLUDES ${LIBTORCH_INCLUDE_DIRS})
set(CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_GLOO -D_GLIBCXX_USE_CXX11_ABI=${LIBTORCH_CXX11_ABI})
set(CMAKE_REQUIRED_FLAGS "-std=c++${LIBTORCH_CXX_STANDARD} -w")
set(CMAKE_REQUIRED_LIBRARIES ${LIBTORCH_LIBRARIES})
# What libtorch itself lacks, such as a GPU driver on the machine that compiles, is not asked here.
set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--allow-shlib-undefined)
unset(LIBTORCH_GLOO CACHE)
check_cxx_source_compiles("
  #include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
  #include <torch/csrc/distributed/c10d/TCPStore.hpp>
  int main() { return c10d::ProcessGroupGloo::createDefaultDevice() == nullptr; }" LIBTORCH_GLOO)
if(NOT LIBTORCH_GLOO)
  message(STATUS "Without Gloo: training on several ranks is left out. HINT: on Debian or Ubuntu install libgloo-dev.")
endif()

# Between GPUs they talk through NCCL, where libtorch computes on GPUs and the headers of CUDA and NCCL are there: Debian's packages
# nvidia-cuda-dev and libnccl-dev, or what pip has put beside PyTorch.
set(LIBTORCH_NCCL OFF)
if(LIBTORCH_GLOO AND torch_cuda_library)
  file(GLOB LIBTORCH_CUDA_INCLUDE_DIRS "${LIBTORCH_ROOT}/../nvidia/*/include" /usr/local/cuda/include)
  list(APPEND CMAKE_REQUIRED_INCLUDES ${LIBTORCH_CUDA_INCLUDE_DIRS})
  list(APPEND CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_NCCL)
  unset(has_nccl CACHE)
  check_cxx_source_compiles("
    #include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
    int main() { return c10::make_intrusive<c10d::ProcessGroupNCCL>(nullptr, 0, 1)->getSize(); }" has_nccl)
  set(LIBTORCH_NCCL ${has_nccl})
  if(NOT LIBTORCH_NCCL)
    message(STATUS "Without NCCL: between ranks, what GPUs compute travels through host memory. HINT: on Debian install libnccl-dev and nvidia-cuda-dev.")
  endif()
endif()
