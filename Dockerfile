# Espalier's command line on Debian 13 with its libtorch, for processors.
#   docker build -t espalier .
#   docker run --rm -it -v "$PWD:/work" espalier info
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
# The SDK's image may be of another system than the one that runs: libtorch must be the same in both.
FROM debian:13-slim

# libicu: .NET's own tools; npm: `data fetch` and `quickstart`.
# libgloo-dev, where the system has it: `launch`.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates cmake g++ libicu76 libopenblas0-openmp libtorch-dev make npm \
        $(apt-cache search --names-only "^libgloo-dev$" | cut -d " " -f 1) \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/share/dotnet /usr/share/dotnet
ENV PATH=/usr/share/dotnet:$PATH DOTNET_CLI_TELEMETRY_OPTOUT=1

WORKDIR /espalier
COPY . .
# The first call builds; `info` also shows that libtorch loads.
RUN ./espalier info

# A user of the caller's choice (`docker run --user`) reads what was built.
WORKDIR /work
ENTRYPOINT ["/espalier/espalier"]
CMD ["--help"]
