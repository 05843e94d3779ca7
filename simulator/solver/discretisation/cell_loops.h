/* An integral over the cells. A cell has `nodes` points, and `dofs` nodes of `fields` fields. */
typedef struct {
    uintptr_t function;
    int with_data;
    int64_t cells;
    int32_t nodes;
    const int32_t *node_of;
    const double *points;
    int32_t coefficients;
    const double **values;
    const int32_t **dof_of;
    const int32_t *sizes;
    const double *constants;
    int32_t fields;
    int32_t dofs;
} cell_integral;

/* Add to vector[node][field] the values of each cell, whose nodes are given; return 0 if there is
   no memory. */
int add_vector(const cell_integral *form, const int32_t *dof_of, double *vector);

/* Add to values[slot][row field][column field] the values of each cell, whose slots are given;
   return 0 if there is no memory. */
int add_matrix(const cell_integral *form, const int32_t *slots, double *values);

/* Find the place of each cell's entries among those of a matrix whose rows have increasing columns;
   return the number of entries that it lacks. */
int64_t find_slots(int64_t cells, int32_t n, const int32_t *dof_of, const int64_t *firsts,
                   const int32_t *columns, int32_t *slots);

/* Add to into[slot] a multiple of each value. */
void add_at(int64_t entries, const int32_t *slots, const double *values, double factor,
            double *into);
