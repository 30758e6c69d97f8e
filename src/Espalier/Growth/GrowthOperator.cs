using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Maps a whole training state to a larger one (Staged Training, arXiv 2203.06211): weights, everything that the
/// optimizer remembers, and position. An operator says where layers and units come from and what their weights are multiplied
/// by; the walk over the state is written once, here.
/// </summary>
public abstract record GrowthOperator
{
    /// <summary>What becomes of what the optimizer remembers.</summary>
    public MomentPolicy Moments { get; init; } = MomentPolicy.Map;

    /// <summary>What becomes of the model itself.</summary>
    public abstract ModelConfig Grow(ModelConfig model);

    /// <summary>What the growth keeps.</summary>
    /// <param name="model">The model to grow.</param>
    public abstract Promise Promise(ModelConfig model);

    /// <summary>The operator and its settings in one line, as checkpoints record it.</summary>
    public abstract override string ToString();

    /// <summary>Grows a state.</summary>
    /// <param name="state">The state to grow; it is used up, its tensors move into the result or are freed.</param>
    /// <param name="context">Batches and training on trial, for growth that looks at data.</param>
    public virtual TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        using IDisposable _ = TensorScope.Suspend();
        using var noGrad = new NoGrad();
        Model old = state.Model;
        ModelConfig config = Grow(old.Config);
        int[] layers = Layers(old.Config);
        var sources = old.Parameters.ToDictionary(parameter => (parameter.Spec.Layer, parameter.Spec.Role));
        var met = new HashSet<int>();
        bool[] isCopy = [.. layers.Select(source => !met.Add(source))];

        List<Parameter> parameters = [];
        Dictionary<string, ParameterState> states = [];
        foreach (ParameterSpec spec in old.Architecture.Parameters(config))
        {
            Parameter source = sources[(spec.Layer is int layer ? layers[layer] : null, spec.Role)];
            AxisMap[] maps = [.. source.Spec.Axes.Zip(spec.Axes, (before, after) => MapOf(before, after, old.Config))];
            Tensor value = ParameterSet.Trainable(Made(source, spec, maps, source.Value, 1));
            parameters.Add(new Parameter(spec, value));

            // By index, whatever the layer is a copy of: the released code's `keep`.
            bool keepsItsPlace = spec.Layer is not int index || index < old.Config.Layers;
            Parameter before = Moments == MomentPolicy.Keep && keepsItsPlace ? sources[(spec.Layer, spec.Role)] : source;
            (Dictionary<string, Slot> slots, long steps) =
                Remembered(before, spec, maps, state.Optimizer[before.Name], keepsItsPlace);
            states.Add(spec.Name, new ParameterState(slots, steps)
            {
                New = NewIn(spec, maps, spec.Layer is int place && isCopy[place]),
            });
        }

        var grown = new TrainingState(
            new Model(old.Architecture, config, new ParameterSet(parameters)), new OptimizerState(states), state.Position);
        state.Dispose();
        return grown;
    }

    /// <summary>For each layer of the grown model, the old layer that it is made from. By default each is itself.</summary>
    /// <param name="model">The model to grow.</param>
    protected virtual int[] Layers(ModelConfig model) => [.. Enumerable.Range(0, model.Layers)];

    /// <summary>Where the units of a grown axis come from. Asked for kinds only whose number changes.</summary>
    /// <param name="kind">The kind of units.</param>
    /// <param name="model">The model to grow.</param>
    protected virtual AxisMap Units(AxisKind kind, ModelConfig model) =>
        throw new InvalidOperationException($"{this} changes the number of {kind}, and does not say where they come from");

    /// <summary>What a weight that is made from an old one is multiplied by. By default by nothing.</summary>
    /// <param name="parameter">The grown parameter.</param>
    /// <param name="first">The unit along its first axis.</param>
    /// <param name="second">The unit along its second axis; the first of all where it has none.</param>
    protected virtual double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => 1;

    /// <summary>What the gradient of such a weight is of the old one's. By default the same.</summary>
    /// <inheritdoc cref="Factor"/>
    protected virtual double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => 1;

    private AxisMap MapOf(Axis before, Axis after, ModelConfig model) =>
        before.Units == after.Units ? AxisMap.Same(before.Units) : Units(after.Kind, model);

    /// <summary>A grown tensor: each element from its source, times a factor to a power.</summary>
    private Tensor Made(
        Parameter source, ParameterSpec spec, AxisMap[] maps, Tensor value, int power, bool ofGradient = false)
    {
        Func<ParameterSpec, UnitOrigin, UnitOrigin, double> factor = ofGradient ? GradientFactor : Factor;
        return Gathered(source.Spec, spec, maps, value, (a, b) => Math.Pow(factor(spec, a, b), power));
    }

    private (Dictionary<string, Slot> Slots, long Steps) Remembered(
        Parameter source, ParameterSpec spec, AxisMap[] maps, ParameterState state, bool keepsItsPlace)
    {
        return Moments switch
        {
            MomentPolicy.Map => (
                Each(slot => Made(
                    source, spec, maps, slot.Value, slot.Follows == Follows.Square ? 2 : 1, ofGradient: true)),
                state.Steps),
            MomentPolicy.Keep when keepsItsPlace => (
                Each(slot => Gathered(
                    source.Spec, spec, maps, slot.Value, (a, b) => a.Copy == 0 && b.Copy == 0 ? 1 : 0)),
                state.Steps),
            _ => (Each(slot => Tensor.Zeros(spec.Shape, device: slot.Value.Device)), 0),
        };

        Dictionary<string, Slot> Each(Func<Slot, Tensor> value) =>
            state.Slots.ToDictionary(pair => pair.Key, pair => pair.Value with { Value = value(pair.Value) });
    }

    private static Tensor Gathered(
        ParameterSpec before, ParameterSpec after, AxisMap[] maps, Tensor value, Func<UnitOrigin, UnitOrigin, double> factor)
    {
        using var scope = new TensorScope();
        Tensor made = value;
        for (int axis = 0; axis < maps.Length; axis++)
        {
            if (before.Axes[axis].Units != after.Axes[axis].Units)
            {
                long[] elements = maps[axis].SourceElements(before.Axes[axis], after.Axes[axis]);
                made = made.IndexSelect(axis, Tensor.From<long>(elements, [elements.Length], value.Device));
            }
        }

        return scope.Keep(Factors(after, maps, factor, value.Device) is Tensor factors ? made * factors
            : ReferenceEquals(made, value) ? value.Clone() : made);
    }

    /// <summary>The factor of every element, shaped like the parameter or to be broadcast to it; null where all are 1.</summary>
    private static Tensor? Factors(
        ParameterSpec spec, AxisMap[] maps, Func<UnitOrigin, UnitOrigin, double> factor, Device device)
    {
        IReadOnlyList<UnitOrigin> first = maps[0].Units, second = maps.Length > 1 ? maps[1].Units : [default];
        var ofUnits = new float[first.Count * second.Count];
        for (int i = 0; i < ofUnits.Length; i++)
        {
            ofUnits[i] = (float)factor(first[i / second.Count], second[i % second.Count]);
        }

        if (Array.TrueForAll(ofUnits, value => value == 1))
        {
            return null;
        }

        Tensor factors = Tensor.From<float>(ofUnits, [first.Count, second.Count], device);
        for (int axis = 0; axis < maps.Length; axis++)
        {
            long[] units = [.. spec.Axes[axis].UnitOfElement.Select(unit => (long)unit)];
            factors = factors.IndexSelect(axis, Tensor.From<long>(units, [units.Length], device));
        }

        return maps.Length > 1 ? factors : factors.Reshape(-1);
    }

    private static NewUnits? NewIn(ParameterSpec spec, AxisMap[] maps, bool isCopy)
    {
        if (isCopy)
        {
            return NewUnits.All;
        }

        IReadOnlyList<int>?[] places = [.. maps.Select((map, axis) => map.NewElements(spec.Axes[axis]))
            .Select(elements => elements.Length > 0 ? (IReadOnlyList<int>)elements : null)];
        return Array.TrueForAll(places, place => place is null) ? null : new NewUnits(places);
    }
}
