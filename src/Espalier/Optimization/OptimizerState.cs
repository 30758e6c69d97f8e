using System.Collections;
using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>What an optimizer remembers of every parameter, by name.</summary>
public sealed class OptimizerState : IReadOnlyCollection<KeyValuePair<string, ParameterState>>, IDisposable
{
    private readonly Dictionary<string, ParameterState> _states;

    /// <summary>A state of the given parts, which from now on belong to it.</summary>
    public OptimizerState(IEnumerable<KeyValuePair<string, ParameterState>> states) => _states = new(states);

    /// <inheritdoc/>
    public int Count => _states.Count;

    /// <summary>What is remembered of a parameter.</summary>
    public ParameterState this[string name] => _states[name];

    /// <summary>The state before the first update.</summary>
    public static OptimizerState Begin(IOptimizer optimizer, ParameterSet parameters) => new(parameters.Select(
        parameter => KeyValuePair.Create(parameter.Name, optimizer.Begin(parameter))));

    /// <summary>A copy with its own memory.</summary>
    public OptimizerState Copy() => new(_states.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Copy())));

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
