/* Loops over the cells of a mesh that call a compiled form for each cell and add what it returns
   to a vector or to the values of a sparse matrix, at known places. Nothing here depends on the
   form: coefficients and coordinates are gathered as the interface of UFCx asks for them. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cell_loops.h"

typedef void tabulate(double *, const double *, const double *, const double *, const int *,
                      const uint8_t *);
/* Later versions of UFCx pass data of the caller, which forms do not read. */
typedef void tabulate_with_data(double *, const double *, const double *, const double *,
                                const int *, const uint8_t *, void *);

typedef struct {
    double *element, *coefficients, *coordinates;
} workspace;

static int make(workspace *room, const cell_integral *form, size_t entries)
{
    size_t numbers = 0;
    for (int32_t k = 0; k < form->coefficients; ++k)
        numbers += form->sizes[k];
    room->element = malloc(sizeof(double) * (entries + numbers + 3 * form->nodes + 1));
    if (room->element == NULL)
        return 0;
    room->coefficients = room->element + entries;
    room->coordinates = room->coefficients + numbers;
    return 1;
}

/* Compute the element vector or matrix of a cell. */
static void compute(const cell_integral *form, const workspace *room, size_t entries, int64_t cell)
{
    double *w = room->coefficients, *x = room->coordinates;
    for (int32_t k = 0; k < form->coefficients; ++k) {
        const int32_t size = form->sizes[k], *dofs = form->dof_of[k] + cell * size;
        for (int32_t i = 0; i < size; ++i)
            *w++ = form->values[k][dofs[i]];
    }
    const int32_t *nodes = form->node_of + cell * form->nodes;
    for (int32_t i = 0; i < form->nodes; ++i)
        for (int axis = 0; axis < 3; ++axis)
            *x++ = form->points[3 * (int64_t)nodes[i] + axis];
    memset(room->element, 0, entries * sizeof(double));
    if (form->with_data)
        ((tabulate_with_data *)form->function)(room->element, room->coefficients, form->constants,
                                               room->coordinates, NULL, NULL, NULL);
    else
        ((tabulate *)form->function)(room->element, room->coefficients, form->constants,
                                     room->coordinates, NULL, NULL);
}

int add_vector(const cell_integral *form, const int32_t *dof_of, double *vector)
{
    const int32_t n = form->dofs, fields = form->fields;
    const size_t entries = (size_t)n * fields;
    workspace room;
    if (!make(&room, form, entries))
        return 0;
    for (int64_t cell = 0; cell < form->cells; ++cell) {
        compute(form, &room, entries, cell);
        const double *from = room.element;
        for (int32_t i = 0; i < n; ++i) {
            double *to = vector + (int64_t)dof_of[cell * n + i] * fields;
            for (int32_t k = 0; k < fields; ++k)
                to[k] += *from++;
        }
    }
    free(room.element);
    return 1;
}

int add_matrix(const cell_integral *form, const int32_t *slots, double *values)
{
    const int32_t n = form->dofs, fields = form->fields;
    const size_t width = (size_t)n * fields, entries = width * width;
    workspace room;
    if (!make(&room, form, entries))
        return 0;
    for (int64_t cell = 0; cell < form->cells; ++cell) {
        compute(form, &room, entries, cell);
        const int32_t *slot = slots + cell * n * n;
        for (int32_t i = 0; i < n; ++i)
            for (int32_t j = 0; j < n; ++j) {
                double *to = values + (int64_t)*slot++ * fields * fields;
                const double *from = room.element + (size_t)i * fields * width + (size_t)j * fields;
                for (int32_t k = 0; k < fields; ++k)
                    for (int32_t l = 0; l < fields; ++l)
                        *to++ += from[k * width + l];
            }
    }
    free(room.element);
    return 1;
}

int64_t find_slots(int64_t cells, int32_t n, const int32_t *dof_of, const int64_t *firsts,
                   const int32_t *columns, int32_t *slots)
{
    int64_t missing = 0;
    for (int64_t cell = 0; cell < cells; ++cell) {
        const int32_t *dofs = dof_of + cell * n;
        for (int32_t i = 0; i < n; ++i)
            for (int32_t j = 0; j < n; ++j) {
                int64_t low = firsts[dofs[i]], end = firsts[dofs[i] + 1], high = end;
                while (low < high) {
                    const int64_t middle = low + (high - low) / 2;
                    if (columns[middle] < dofs[j])
                        low = middle + 1;
                    else
                        high = middle;
                }
                missing += low == end || columns[low] != dofs[j];
                *slots++ = (int32_t)low;
            }
    }
    return missing;
}

void add_at(int64_t entries, const int32_t *slots, const double *values, double factor,
            double *into)
{
    for (int64_t k = 0; k < entries; ++k)
        into[slots[k]] += factor * values[k];
}
