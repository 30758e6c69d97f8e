using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Espalier.Configuration;

/// <summary>The summaries of properties, from the documentation file that lies beside each assembly.</summary>
internal static partial class Documentation
{
    private static readonly ConcurrentDictionary<Assembly, IReadOnlyDictionary<string, XElement>> Files = new();

    /// <summary>The summary of a property as plain text, without the key that it begins with; that of the base where it has none of its own.</summary>
    /// <returns>Null where there is none.</returns>
    public static string? Of(PropertyInfo property)
    {
        for (Type? type = property.DeclaringType; type is not null; type = type.BaseType)
        {
            if (type.GetProperty(property.Name, BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly) is not null
                && Files.GetOrAdd(type.Assembly, Load).TryGetValue($"P:{type.FullName!.Replace('+', '.')}.{property.Name}", out XElement? member)
                && member.Element("summary") is XElement summary)
            {
                return KeyBefore().Replace(White().Replace(Text(summary), " ").Trim(), "");
            }
        }

        return null;
    }

    private static Dictionary<string, XElement> Load(Assembly assembly)
    {
        // Somebody's own assembly need not have one.
        string file = Path.ChangeExtension(assembly.Location, ".xml");
        return File.Exists(file) ? XDocument.Load(file).Descendants("member").ToDictionary(member => (string)member.Attribute("name")!)
            : assembly != typeof(Documentation).Assembly ? []
            : throw new UserErrorException($"{file} is missing.", "It holds what keys mean, and belongs to the installation: build or install anew.");
    }

    private static string Text(XElement element)
    {
        var text = new StringBuilder();
        foreach (XNode node in element.Nodes())
        {
            text.Append(node switch
            {
                XText plain => plain.Value,
                XElement { Name.LocalName: "see" or "paramref" } reference => LastName().Match(
                    (string?)reference.Attribute("cref") ?? (string?)reference.Attribute("name") ?? "").Value,
                XElement inner => Text(inner),
                _ => "",
            });
        }

        return text.ToString();
    }

    [GeneratedRegex(@"^`[^`]+`: ")]
    private static partial Regex KeyBefore();

    [GeneratedRegex(@"\s+")]
    private static partial Regex White();

    [GeneratedRegex(@"[^.:]*$")]
    private static partial Regex LastName();
}
