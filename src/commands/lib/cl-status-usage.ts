// The usage text of cl_status.

export const CL_STATUS_USAGE = `Usage: cl_status <sub-command> [<options>] [<parameters>]

Sub-commands:
clientstatus <node-name> <client-id> [<timeout>]
\tIs that client of heartbeat online there? The time-out is in milliseconds.
hblinkstatus <node-name> <link-name>
\tShow the status of one heartbeat link of that node
hbstatus
\tTell whether heartbeat runs on this machine.
\tOptions:
\t\t-v\tverbose: version, and what "listnodes -v" prints
listnodes [<option>]
\tList the nodes of the cluster.
\tOptions:
\t\t-p\tonly nodes of type 'ping'
\t\t-n\tonly nodes of type 'normal'
\t\t-v\tverbose: type, status and links of each
listhblinks <node-name>
\tList the links over which that node is heard.
\tOptions:
\t\t-v\tverbose: with the status of each
nodestatus <node-name>
\tShow the status of that node.
nodeweight <node-name>
\tShow the weight of that node.
nodesite <node-name>
\tShow the site of that node.
nodetype <node-name>
\tShow the type of that node.
rscstatus
\tShow which resources this node holds.
hbparameter -p <parameter-name>
\tShow the value of a directive of ha.cf.
Every sub-command: -m prints a sentence instead of a word.
Exit status: 0 yes, 1 no or not running, 11 wrong arguments, 13 other errors.
`;
