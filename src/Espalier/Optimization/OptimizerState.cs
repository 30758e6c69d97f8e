using System.Collections;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>What an optimizer remembers of every parameter, by name.</summary>
public sealed class OptimizerState : IReadOnlyCollection<KeyValuePair<string, ParameterState>>, IDisposable
{
    private readonly Dictionary<string, ParameterState> _states;

    /// <summary>A state of the given parts, which from now on belong to it.</summary>
    /// <param name="rule">The update rule that remembers.</param>
    /// <param name="states">What it remembers of every parameter.</param>
    public OptimizerState(IOptimizer rule, IEnumerable<KeyValuePair<string, ParameterState>> states) =>
        (Rule, _states) = (rule, new(states));

    /// <summary>The update rule that remembers: it says what there is to remember of parameters that growth adds.</summary>
    public IOptimizer Rule { get; }

    /// <inheritdoc/>
    public int Count => _states.Count;

    /// <summary>What is remembered of a parameter.</summary>
    public ParameterState this[string name] => _states[name];

    /// <summary>The state before the first update.</summary>
    public static OptimizerState Begin(IOptimizer optimizer, ParameterSet parameters) => new(
        optimizer, parameters.Select(parameter => KeyValuePair.Create(
            parameter.Name, ParameterState.Begin(optimizer, parameter.Spec, parameter.Value.Device))));

    /// <summary>How it is shared out, where this is one rank's part of it: what other ranks remember has no slots here. Null where it is whole.</summary>
    internal OptimizerShards? Shards { get; init; }

    /// <summary>A copy with its own memory.</summary>
    /// <param name="device">Where the copy lies; null for where this lies.</param>
    public OptimizerState Copy(Device? device = null) => new(Rule, _states.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Copy(device))))
    {
        Shards = Shards,
    };

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, ParameterState>> GetEnumerator() => _states.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (ParameterState state in _states.Values)
        {
            state.Dispose();
        }
    }
}
