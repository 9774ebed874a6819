/* A stand-in for the CUDA driver over host memory, for machines without a GPU.
 *
 * What tests must be able to see goes wrong here as it does on a GPU: asynchronous calls run later, each stream on a
 * thread of its own; device pointers mean nothing to the host; every call needs a context. All that cuda.h declares and
 * this file does not define is made by build.py, and answers "not supported". */
#define _GNU_SOURCE
#include <cuda.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_BLOCKS 4096
#define MAX_DEPTH 16
#define FIRST_ADDRESS 0x7d0000000000ULL
#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- What tests set and read ---- */

static struct {
    long devices, driver, capability, memory, delay_us;
} settings = {1, 13000, 90, 1L << 30, 300};

static struct {
    long device_blocks, host_blocks, streams, events, contexts, used;
} live;

static struct {
    char function[64];
    long nth, code;
} fault;

EXPORT void standin_set(const char *name, long value) {
    if (!strcmp(name, "devices")) settings.devices = value;
    if (!strcmp(name, "driver")) settings.driver = value;
    if (!strcmp(name, "capability")) settings.capability = value;
    if (!strcmp(name, "memory")) settings.memory = value;
    if (!strcmp(name, "delay_us")) settings.delay_us = value;
}

EXPORT long standin_live(const char *name) {
    if (!strcmp(name, "device_blocks")) return live.device_blocks;
    if (!strcmp(name, "host_blocks")) return live.host_blocks;
    if (!strcmp(name, "streams")) return live.streams;
    if (!strcmp(name, "events")) return live.events;
    if (!strcmp(name, "contexts")) return live.contexts;
    return -1;
}

/* The nth call from now on of a function answers with a code. */
EXPORT void standin_fail(const char *function, long nth, long code) {
    snprintf(fault.function, sizeof fault.function, "%s", function);
    fault.nth = nth;
    fault.code = code;
}

static CUresult injected(const char *function) {
    CUresult code = CUDA_SUCCESS;
    size_t length = strlen(fault.function);
    pthread_mutex_lock(&lock);
    /* Names here carry cuda.h's version suffixes. */
    if (fault.nth > 0 && !strncmp(function, fault.function, length) && (!function[length] || function[length] == '_'))
        if (--fault.nth == 0) code = (CUresult)fault.code;
    pthread_mutex_unlock(&lock);
    return code;
}

/* ---- Contexts ---- */

struct CUctx_st {
    int references;
    CUdevice device;
};

static struct CUctx_st primary[8];
static __thread CUcontext stack[MAX_DEPTH];
static __thread int depth;

static CUresult checked(const char *function) {
    if (!depth || !stack[depth - 1]->references) return CUDA_ERROR_INVALID_CONTEXT;
    return injected(function);
}
#define CHECK() do { CUresult r_ = checked(__func__); if (r_) return r_; } while (0)
#define CHECK_FAULT() do { CUresult r_ = injected(__func__); if (r_) return r_; } while (0)

EXPORT CUresult cuInit(unsigned int flags) { (void)flags; CHECK_FAULT(); return settings.devices ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE; }
EXPORT CUresult cuDriverGetVersion(int *version) { *version = (int)settings.driver; return CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGetCount(int *count) { *count = (int)settings.devices; return CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (ordinal < 0 || ordinal >= settings.devices) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
    snprintf(name, (size_t)length, "stand-in GPU %d", device);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceTotalMem(size_t *bytes, CUdevice device) { (void)device; *bytes = (size_t)settings.memory; return CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    (void)device;
    *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? (int)settings.capability / 10
             : attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? (int)settings.capability % 10
                                                                         : 1;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    (void)device;
    *major = (int)settings.capability / 10;
    *minor = (int)settings.capability % 10;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    CHECK_FAULT();
    pthread_mutex_lock(&lock);
    primary[device].device = device;
    if (!primary[device].references++) live.contexts++;
    pthread_mutex_unlock(&lock);
    *context = &primary[device];
    return CUDA_SUCCESS;
}
EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    pthread_mutex_lock(&lock);
    if (!--primary[device].references) live.contexts--;
    pthread_mutex_unlock(&lock);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxPushCurrent(CUcontext context) {
    if (depth == MAX_DEPTH) return CUDA_ERROR_INVALID_VALUE;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxPopCurrent(CUcontext *context) {
    if (!depth) return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (context) *context = stack[depth];
    return CUDA_SUCCESS;
}
EXPORT CUresult cuCtxGetCurrent(CUcontext *context) { *context = depth ? stack[depth - 1] : NULL; return CUDA_SUCCESS; }
EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
    if (depth) depth--;
    return context ? cuCtxPushCurrent(context) : CUDA_SUCCESS;
}
EXPORT CUresult cuCtxGetDevice(CUdevice *device) { CHECK(); *device = stack[depth - 1]->device; return CUDA_SUCCESS; }
EXPORT CUresult cuCtxGetApiVersion(CUcontext context, unsigned int *version) { (void)context; *version = 3020; return CUDA_SUCCESS; }

/* ---- Memory ---- */

static struct block {
    CUdeviceptr begin;
    size_t size;
    char *bytes;
} blocks[MAX_BLOCKS];
static CUdeviceptr next_address = FIRST_ADDRESS;

EXPORT CUresult cuMemAlloc(CUdeviceptr *pointer, size_t size) {
    CHECK();
    CUresult result = CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_BLOCKS && live.used + (long)size <= settings.memory; i++)
        if (!blocks[i].bytes) {
            /* A pattern that no result resembles. */
            blocks[i] = (struct block){next_address, size, memset(malloc(size), 0xa5, size)};
            *pointer = next_address;
            next_address += (size + 4095) / 4096 * 4096 + 4096;
            live.used += (long)size;
            live.device_blocks++;
            result = CUDA_SUCCESS;
            break;
        }
    pthread_mutex_unlock(&lock);
    return result;
}
EXPORT CUresult cuMemFree(CUdeviceptr pointer) {
    CHECK();
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_BLOCKS; i++)
        if (blocks[i].bytes && blocks[i].begin == pointer) {
            free(blocks[i].bytes);
            blocks[i].bytes = NULL;
            live.used -= (long)blocks[i].size;
            live.device_blocks--;
            result = CUDA_SUCCESS;
        }
    pthread_mutex_unlock(&lock);
    return result;
}
/* Where device memory really is; NULL where it is none, or too little. */
EXPORT void *standin_host_address(CUdeviceptr pointer, size_t size) {
    void *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_BLOCKS; i++)
        if (blocks[i].bytes && pointer >= blocks[i].begin && pointer + size <= blocks[i].begin + blocks[i].size)
            found = blocks[i].bytes + (pointer - blocks[i].begin);
    pthread_mutex_unlock(&lock);
    return found;
}
EXPORT CUresult cuMemGetInfo(size_t *unused, size_t *total) {
    CHECK();
    *unused = (size_t)(settings.memory - live.used);
    *total = (size_t)settings.memory;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned int flags) {
    (void)flags;
    CHECK();
    *pointer = malloc(size ? size : 1);
    __atomic_add_fetch(&live.host_blocks, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuMemAllocHost(void **pointer, size_t size) { return cuMemHostAlloc(pointer, size, 0); }
EXPORT CUresult cuMemFreeHost(void *pointer) {
    CHECK();
    free(pointer);
    __atomic_sub_fetch(&live.host_blocks, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}

/* ---- Events and streams ---- */

struct CUevent_st {
    long asked, done;
    struct timespec when;
};

struct task {
    struct task *next;
    void (*run)(struct task *);
    CUdeviceptr device;
    void *host;
    size_t size;
    CUevent event;
    long ticket;
    void (*function)(void *);
    void *argument;
};

struct CUstream_st {
    pthread_t thread;
    struct task *first, **last;
    long asked, done;
    int closing;
};

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static CUresult sticky; /* of a task that failed, as a GPU tells with a later call */

static void *serve(void *argument) {
    CUstream stream = argument;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!stream->first && !stream->closing) pthread_cond_wait(&changed, &lock);
        struct task *task = stream->first;
        if (!task) break;
        pthread_mutex_unlock(&lock);
        usleep((useconds_t)settings.delay_us);
        task->run(task);
        pthread_mutex_lock(&lock);
        stream->first = task->next;
        if (!stream->first) stream->last = &stream->first;
        stream->done++;
        free(task);
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static CUresult enqueue(CUstream stream, struct task task) {
    struct task *kept = malloc(sizeof *kept);
    *kept = task;
    kept->next = NULL;
    pthread_mutex_lock(&lock);
    CUresult result = sticky;
    *stream->last = kept;
    stream->last = &kept->next;
    stream->asked++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned int flags) {
    (void)flags;
    CHECK();
    *stream = calloc(1, sizeof **stream);
    (*stream)->last = &(*stream)->first;
    pthread_create(&(*stream)->thread, NULL, serve, *stream);
    __atomic_add_fetch(&live.streams, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuStreamDestroy(CUstream stream) {
    CHECK();
    pthread_mutex_lock(&lock);
    stream->closing = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(stream->thread, NULL);
    free(stream);
    __atomic_sub_fetch(&live.streams, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuStreamSynchronize(CUstream stream) {
    CHECK();
    pthread_mutex_lock(&lock);
    long asked = stream->asked;
    while (stream->done < asked) pthread_cond_wait(&changed, &lock);
    CUresult result = sticky;
    pthread_mutex_unlock(&lock);
    return result;
}

static void run_record(struct task *task) {
    pthread_mutex_lock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &task->event->when);
    if (task->event->done < task->ticket) task->event->done = task->ticket;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
static void run_wait(struct task *task) {
    pthread_mutex_lock(&lock);
    while (task->event->done < task->ticket) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}
EXPORT CUresult cuEventCreate(CUevent *event, unsigned int flags) {
    (void)flags;
    CHECK();
    *event = calloc(1, sizeof **event);
    __atomic_add_fetch(&live.events, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuEventDestroy(CUevent event) {
    CHECK();
    free(event);
    __atomic_sub_fetch(&live.events, 1, __ATOMIC_SEQ_CST);
    return CUDA_SUCCESS;
}
EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
    CHECK();
    pthread_mutex_lock(&lock);
    long ticket = ++event->asked;
    pthread_mutex_unlock(&lock);
    return enqueue(stream, (struct task){.run = run_record, .event = event, .ticket = ticket});
}
EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags) {
    (void)flags;
    CHECK();
    pthread_mutex_lock(&lock);
    long ticket = event->asked;
    pthread_mutex_unlock(&lock);
    return enqueue(stream, (struct task){.run = run_wait, .event = event, .ticket = ticket});
}
EXPORT CUresult cuEventSynchronize(CUevent event) {
    CHECK();
    pthread_mutex_lock(&lock);
    long asked = event->asked;
    while (event->done < asked) pthread_cond_wait(&changed, &lock);
    CUresult result = sticky;
    pthread_mutex_unlock(&lock);
    return result;
}
EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
    CHECK();
    if (begin->done < begin->asked || end->done < end->asked) return CUDA_ERROR_NOT_READY;
    double seconds = (double)(end->when.tv_sec - begin->when.tv_sec);
    *milliseconds = (float)(seconds * 1e3 + (double)(end->when.tv_nsec - begin->when.tv_nsec) / 1e6);
    return CUDA_SUCCESS;
}

/* ---- What streams do ---- */

static void copy(struct task *task, int to_device) {
    void *device = standin_host_address(task->device, task->size);
    if (!device) sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
    else if (to_device) memcpy(device, task->host, task->size);
    else memcpy(task->host, device, task->size);
}
static void run_to_device(struct task *task) { copy(task, 1); }
static void run_to_host(struct task *task) { copy(task, 0); }
static void run_function(struct task *task) { task->function(task->argument); }

EXPORT CUresult cuMemcpyHtoDAsync(CUdeviceptr device, const void *host, size_t size, CUstream stream) {
    CHECK();
    return enqueue(stream, (struct task){.run = run_to_device, .device = device, .host = (void *)host, .size = size});
}
EXPORT CUresult cuMemcpyDtoHAsync(void *host, CUdeviceptr device, size_t size, CUstream stream) {
    CHECK();
    return enqueue(stream, (struct task){.run = run_to_host, .device = device, .host = host, .size = size});
}
/* A kernel: a function of the host's, in its turn. */
EXPORT CUresult standin_enqueue(CUstream stream, void (*function)(void *), void *argument) {
    return enqueue(stream, (struct task){.run = run_function, .function = function, .argument = argument});
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
    static __thread char other[64];
    snprintf(other, sizeof other, "error %d of the stand-in", (int)error);
    *text = error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory"
            : error == CUDA_ERROR_NO_DEVICE   ? "no CUDA-capable device is detected"
                                              : other;
    return CUDA_SUCCESS;
}
EXPORT CUresult cuGetErrorName(CUresult error, const char **text) { return cuGetErrorString(error, text); }
