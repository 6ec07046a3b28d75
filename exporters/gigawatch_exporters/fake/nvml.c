/* A fake libnvidia-ml.so.1 that shows what stands in a file.
 *
 * fake/native.py builds it and writes the file (GIGAWATCH_FAKE_NVML names it), which is mapped here and read at every
 * call: a test changes what is true while a daemon runs. The layout is stated in both places; a magic number and the
 * file's size are checked.
 * Functions that are missing are missing as in an old driver. The declarations are our own; names, numbers and the
 * order of members are the ABI's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9, TIMEOUT = 10, LOST = 15 };
enum { MAX_FIELDS = 64, MAX_GPUS = 32, MAX_EVENTS = 64, MAX_SETS = 16, XID = 8, NONE = -1 };
enum { CLOCK_SM = 1, CLOCK_MEMORY = 2 };
static const uint32_t MAGIC = 0x47574e4d;

struct told { uint32_t id, scope, type, pad; uint64_t raw; };
struct gpu {
  char uuid[96], model[96];
  uint32_t lost, hang, slow_milliseconds, error, field_count, pad;
  int64_t gpu_percent, memory_percent, memory_total, memory_used, temperature, sm_megahertz, memory_megahertz;
  struct told fields[MAX_FIELDS];
};
struct event { char uuid[96]; uint64_t code; int64_t sequence; };
struct stage {
  uint32_t magic, version, crash, gpu_count, event_count, pad;  /* version is odd while the file is being written */
  char driver[80];
  struct gpu gpus[MAX_GPUS];
  struct event events[MAX_EVENTS];
};

struct handle { char uuid[96]; };  /* what nvmlDevice_t points to: a GPU by name, wherever it stands in the file */
struct field_value { uint32_t id, scope; int64_t timestamp, latency; uint32_t type, result; uint64_t raw; };
struct utilization { uint32_t gpu, memory; };
struct memory { uint32_t version; uint64_t total, reserved, free, used; };
struct temperature { uint32_t version, sensor; int32_t degrees; };
struct event_data { struct handle *device; uint64_t type, data; uint32_t gpu_instance, compute_instance; };
struct event_set { int used; int64_t seen; };

static const volatile struct stage *stage;
static struct handle handles[MAX_GPUS];
static uint32_t present;  /* how many were on the bus at initialisation: a later loss does not change the count */
static struct event_set sets[MAX_SETS];

static void pause_briefly(unsigned milliseconds) { usleep(milliseconds * 1000); }

static int map_stage(void) {
  const char *path = getenv("GIGAWATCH_FAKE_NVML");
  struct stat status;
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0 || fstat(file, &status) || (size_t)status.st_size != sizeof *stage) return DRIVER_NOT_LOADED;
  void *mapped = mmap(0, sizeof *stage, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) return DRIVER_NOT_LOADED;
  stage = mapped;
  return stage->magic == MAGIC ? SUCCESS : DRIVER_NOT_LOADED;
}

/* One consistent copy of a GPU's state. Slow calls, hangs and crashes happen here, as every call comes through. */
static int look(const struct handle *handle, struct gpu *copy) {
  for (;;) {
    uint32_t before = stage->version;
    __sync_synchronize();
    int found = 0;
    if (stage->crash) abort();
    for (uint32_t i = 0; i < stage->gpu_count && i < MAX_GPUS && !found; i++) {
      memcpy(copy, (const void *)&stage->gpus[i], sizeof *copy);
      found = !strncmp(copy->uuid, handle->uuid, sizeof copy->uuid);
    }
    __sync_synchronize();
    if (before % 2 || before != stage->version || (found && copy->hang)) { pause_briefly(2); continue; }
    if (!found || copy->lost) return LOST;
    if (copy->slow_milliseconds) usleep(copy->slow_milliseconds * 1000);
    return copy->error;
  }
}

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  int result = stage ? SUCCESS : map_stage();
  if (result) return result;
  while (stage->version % 2) pause_briefly(2);
  present = 0;
  for (uint32_t i = 0; i < stage->gpu_count && i < MAX_GPUS; i++)
    if (!stage->gpus[i].lost) memcpy(handles[present++].uuid, (const void *)stage->gpus[i].uuid, 96);
  return SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int error) {
  static char text[32];
  snprintf(text, sizeof text, "error %d", error);
  return text;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
  if (!stage) return UNINITIALIZED;
  snprintf(version, length, "%s", (const char *)stage->driver);
  return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  if (!stage) return UNINITIALIZED;
  *count = present;
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct handle **device) {
  struct gpu gpu;
  if (index >= present) return INVALID;
  *device = &handles[index];
  return look(*device, &gpu);
}

int nvmlDeviceGetUUID(struct handle *device, char *uuid, unsigned length) {
  snprintf(uuid, length, "%s", device->uuid);
  return SUCCESS;
}

int nvmlDeviceGetName(struct handle *device, char *name, unsigned length) {
  struct gpu gpu;
  int result = look(device, &gpu);
  if (!result) snprintf(name, length, "%s", gpu.model);
  return result;
}

int nvmlDeviceGetFieldValues(struct handle *device, int count, struct field_value *values) {
  struct gpu gpu;
  struct timespec now;
  int result = look(device, &gpu);
  if (result) return result;
  clock_gettime(CLOCK_REALTIME, &now);
  for (int i = 0; i < count; i++) {
    values[i].result = NOT_SUPPORTED;
    values[i].timestamp = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    values[i].latency = 25;
    for (uint32_t k = 0; k < gpu.field_count && k < MAX_FIELDS; k++) {
      if (gpu.fields[k].id != values[i].id || gpu.fields[k].scope != values[i].scope) continue;
      values[i].result = SUCCESS;
      values[i].type = gpu.fields[k].type;
      values[i].raw = gpu.fields[k].raw;
    }
  }
  return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(struct handle *device, struct utilization *rates) {
  struct gpu gpu;
  int result = look(device, &gpu);
  if (result) return result;
  if (gpu.gpu_percent == NONE) return NOT_SUPPORTED;
  rates->gpu = gpu.gpu_percent;
  rates->memory = gpu.memory_percent;
  return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(struct handle *device, struct memory *memory) {
  struct gpu gpu;
  int result = look(device, &gpu);
  if (result) return result;
  if (memory->version != 0x02000028) return 25;  /* ARGUMENT_VERSION_MISMATCH */
  if (gpu.memory_total == NONE && gpu.memory_used == NONE) return NOT_SUPPORTED;
  memory->total = gpu.memory_total;  /* one of them may be unknown: -1 is ULLONG_MAX here */
  memory->used = gpu.memory_used;
  return SUCCESS;
}

int nvmlDeviceGetTemperatureV(struct handle *device, struct temperature *temperature) {
  struct gpu gpu;
  int result = look(device, &gpu);
  if (result) return result;
  if (gpu.temperature == NONE) return NOT_SUPPORTED;
  temperature->degrees = gpu.temperature;
  return SUCCESS;
}

int nvmlDeviceGetClockInfo(struct handle *device, unsigned which, unsigned *megahertz) {
  struct gpu gpu;
  int result = look(device, &gpu);
  if (result) return result;
  int64_t told = which == CLOCK_SM ? gpu.sm_megahertz : which == CLOCK_MEMORY ? gpu.memory_megahertz : NONE;
  if (told == NONE) return NOT_SUPPORTED;
  *megahertz = told;
  return SUCCESS;
}

int nvmlEventSetCreate(struct event_set **created) {
  for (int i = 0; i < MAX_SETS; i++) {
    if (sets[i].used) continue;
    sets[i].used = 1;
    sets[i].seen = stage->event_count ? stage->events[stage->event_count - 1].sequence : -1;
    *created = &sets[i];
    return SUCCESS;
  }
  return 23;  /* INSUFFICIENT_RESOURCES */
}

int nvmlEventSetFree(struct event_set *set) { set->used = 0; return SUCCESS; }

int nvmlDeviceGetSupportedEventTypes(struct handle *device, uint64_t *types) {
  (void)device;
  *types = XID;
  return SUCCESS;
}

int nvmlDeviceRegisterEvents(struct handle *device, uint64_t types, struct event_set *set) {
  (void)device;
  return types == XID && set->used ? SUCCESS : INVALID;
}

int nvmlEventSetWait_v2(struct event_set *set, struct event_data *data, unsigned milliseconds) {
  for (unsigned waited = 0; waited <= milliseconds; waited += 20) {
    uint32_t before = stage->version;
    if (stage->crash) abort();
    for (uint32_t i = 0; before % 2 == 0 && i < stage->event_count && i < MAX_EVENTS; i++) {
      struct event event;
      memcpy(&event, (const void *)&stage->events[i], sizeof event);
      if (event.sequence <= set->seen) continue;
      set->seen = event.sequence;
      for (uint32_t k = 0; k < present; k++) {
        if (strncmp(handles[k].uuid, event.uuid, sizeof event.uuid)) continue;
        *data = (struct event_data){.device = &handles[k], .type = XID, .data = event.code,
                                    .gpu_instance = 0xFFFFFFFF, .compute_instance = 0xFFFFFFFF};
        return SUCCESS;
      }
    }
    pause_briefly(20);
  }
  return TIMEOUT;
}
