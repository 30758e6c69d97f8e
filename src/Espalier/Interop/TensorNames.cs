using System.Text.RegularExpressions;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// Under which names an architecture's tensors are found in the files that are about, where these differ from the names
/// of its <see cref="ParameterSpec"/>s.
/// </summary>
public sealed class TensorNames
{
    private static readonly Regex Nothing = new("(?!)");

    /// <summary>Files have the names of the parameters.</summary>
    public static TensorNames AsTheyAre { get; } = new();

    /// <summary>What files of the bare model leave out at the beginning of names.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Older endings of names, and what they are now.</summary>
    public IReadOnlyDictionary<string, string> Endings { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Second names of a parameter that other code shares: stored besides, they must be equal; stored instead, they stand
    /// for it. Where the model has a parameter of that name (an untied head), they are that.
    /// </summary>
    public IReadOnlyDictionary<string, string> Copies { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Of these the ones that an untied model computes with, once a version of transformers has made them tensors of their own:
    /// written beside the parameter, for other versions to find; where a file has both and they differ, they are the parameter.
    /// </summary>
    public IReadOnlySet<string> InUseWhenUntied { get; init; } = new HashSet<string>();

    /// <summary>Constants that code computes and old files stored all the same.</summary>
    public Regex Constants { get; init; } = Nothing;

    /// <summary>Trained tensors for which Espalier has no use.</summary>
    public Regex Unused { get; init; } = Nothing;

    /// <summary>What Hugging Face's classes for tasks have in place of the language-model head.</summary>
    public Regex TaskHeads { get; init; } = Nothing;

    /// <summary>A stored name as today's models of Hugging Face have it.</summary>
    /// <param name="stored">The name in the file.</param>
    /// <param name="isKnown">Whether a name is one of today's.</param>
    internal string Canonical(string stored, Func<string, bool> isKnown)
    {
        string name = stored;
        foreach ((string old, string now) in Endings)
        {
            if (name.EndsWith(old, StringComparison.Ordinal))
            {
                name = name[..^old.Length] + now;
            }
        }

        return !isKnown(name) && isKnown(Prefix + name) ? Prefix + name : name;
    }
}
