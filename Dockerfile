# heterode on Debian 13, from the lists that scripts/run builds its userland from.
#
#     docker build -t heterode .
#     docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" heterode run params.toml
#     docker run --rm --entrypoint mpirun heterode -n 2 heterode run params.toml
FROM debian:trixie-slim

COPY scripts/setup/packages.txt /opt/heterode/scripts/setup/
COPY scripts/setup/locks /opt/heterode/scripts/setup/locks
RUN apt-get update \
    && sed -e 's/#.*//' /opt/heterode/scripts/setup/packages.txt \
       | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv --system-site-packages /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: \
       --no-deps --require-hashes -r /opt/heterode/scripts/setup/locks/userland.txt
# A home that any user id can write to: -u with the caller's own id keeps files the caller's.
RUN useradd --create-home heterode && chmod 1777 /home/heterode && install -d -m 1777 /work

COPY . /opt/heterode
ENV PATH=/opt/heterode/scripts/setup/bin:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/heterode/scripts/setup/path \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/home/heterode \
    LC_ALL=C.UTF-8 \
    OMP_NUM_THREADS=1 \
    OMPI_MCA_btl=self,sm \
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe \
    PRTE_MCA_hwloc_default_binding_policy=none

USER heterode
WORKDIR /work
ENTRYPOINT ["heterode"]
CMD ["--help"]
