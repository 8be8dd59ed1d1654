# rollproof as an image, for a Job or a CronJob (examples/in-cluster.yaml). Built from a folder that `npm run package` has
# made, so that nothing is fetched during the build:
#   npm run package -- --platforms linux-amd64
#   docker build -f Dockerfile -t rollproof out/package/linux-amd64
FROM node:20-bookworm-slim
WORKDIR /app
COPY . .
# Reports go where a volume is mounted; the program itself is read-only.
RUN mkdir /reports && chown 1000:1000 /reports
# By number: Kubernetes can tell that it is not root (runAsNonRoot).
USER 1000:1000
WORKDIR /reports
ENV HOME=/tmp
ENTRYPOINT ["node", "/app/scripts/rollproof.mjs"]
CMD ["--help"]
